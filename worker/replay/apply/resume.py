"""Where a partition of a replay goes on: what Kafka has committed, what the ledger knows, and whether they agree.

Kafka's count is the truth where it is there, for it moves with the output. It forgets an idle group's offsets after a
week; then the ledger's counts. A ledger behind Kafka was interrupted and is brought up; one ahead of it is of another
cluster, or Kafka's offsets were reset.
"""

from __future__ import annotations

from dataclasses import dataclass

from worker.errors import WorkerError
from worker.replay.apply.account import NotOurNote, PartitionAccount, TooOftenInterrupted
from worker.replay.plan.parts import PlannedRange
from worker.replay.topics import Reached


@dataclass(frozen=True)
class Resume:
    """``account`` is None where nothing has been done yet."""

    offset: int
    account: PartitionAccount | None = None


@dataclass(frozen=True)
class ReplayPartition:
    """Which partition of which replay this is about; ``group`` is the replay's own."""

    replay_id: str
    group: str
    topic: str
    planned: PlannedRange

    def __str__(self) -> str:
        return f"{self.topic} partition {self.planned.partition}"


def resume(place: ReplayPartition, kafka: Reached | None, ledger: Reached | None) -> Resume:
    """Raises WorkerError where the two contradict each other, or the plan."""
    if kafka is None and ledger is None:
        return Resume(place.planned.start)
    if kafka is None:
        assert ledger is not None  # noqa: S101  (for mypy)
        return _from(place, ledger, "the ledger")
    if ledger is not None and ledger.offset > kafka.offset:
        raise WorkerError(
            f"{place}: the ledger says that the replay is done up to offset {ledger.offset}, Kafka's group "
            f"{place.group} says {kafka.offset}: the group's offsets were reset or are another cluster's; correct "
            "ledger.url or kafka.bootstrap_servers, or make a new plan"
        )
    if ledger is not None and ledger.offset == kafka.offset and ledger.note not in ("", kafka.note):
        raise WorkerError(
            f"{place}: the ledger and Kafka's group {place.group} tell different digests up to offset "
            f"{kafka.offset}: one of them was changed by hand; make a new plan, and empty the destination first"
        )
    return _from(place, kafka, f"the group {place.group}")


def _from(place: ReplayPartition, reached: Reached, who: str) -> Resume:
    planned = place.planned
    if not planned.start <= reached.offset <= planned.end:
        raise WorkerError(
            f"{place}: {who} is at offset {reached.offset}, outside of the plan's {planned.start} to {planned.end}: "
            "it is of another plan; do not commit to a replay's group by hand, make a new plan"
        )
    try:
        account = PartitionAccount.of_note(reached.note, place.replay_id)
        if reached.offset < planned.end:
            account.begin_stretch(reached.offset)
        return Resume(reached.offset, account)
    except TooOftenInterrupted:
        raise WorkerError(
            f"{place}: was interrupted so often that its account is full, at offset {reached.offset}: make a new plan "
            "of the rest, from that offset"
        ) from None
    except NotOurNote:
        raise WorkerError(
            f"{place}: {who} is at offset {reached.offset} without the account of replay {place.replay_id}: its "
            "offsets were reset by hand; make a new plan, and empty the destination first"
        ) from None
