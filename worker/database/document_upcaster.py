"""Upcasts the documents of a column, and refuses chains that a column cannot take.

A row has no Kafka coordinates, no key and no headers. So a way that splits or drops events, or writes what a row does
not have, is refused before anything changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from upcasters import (
    Chain,
    ChainError,
    DeadLettered,
    Detection,
    Fault,
    FromHeader,
    Outcome,
    Passed,
    Policy,
    Upcast,
    load_chain,
)
from upcasters.detection import Always, VersionRule
from upcasters.errors import Irreversible
from upcasters.operations.base import Reversibility
from upcasters.operations.choice import walk
from upcasters.operations.events import EventOperation
from upcasters.step import Hop
from worker.database.encodings import VERSION_HEADER, documents_of
from worker.database.failures import AtRestError


@dataclass(frozen=True)
class Changed:
    """The document in its new form, and the versions on both ends of its way."""

    document: bytes
    since: str
    version: str


class DocumentUpcaster:
    """Brings documents of one type to the version ``to``, up or down.

    Raises AtRestError where the chain has no such type or version. ``versioned``: the version comes from a column of
    its own, not from the document. What is beyond ``to`` already is left alone on the way ``down``, and an error on the
    way up; ``down=None`` takes documents either way. ``silent`` is the version of documents that do not tell theirs,
    where the chain would take them for its default: the version that the whole column was brought to. ``encoding`` is
    how they are written.
    """

    def __init__(
        self,
        chain: Chain | str,
        event_type: str,
        to: str,
        *,
        down: bool | None = False,
        versioned: bool = False,
        allow_loss: bool = False,
        silent: str | None = None,
        encoding: str = "json",
    ) -> None:
        self.chain = _loaded(chain)
        self.event_type = event_type
        self.to = to
        self._down = down
        self._versioned = versioned
        self._allow_loss = allow_loss
        self._check_names()
        versions = self.chain.types[event_type]
        self._above = frozenset(versions[versions.index(to) + 1 :])
        detection = Detection((Always(event_type),), self._version_rules(versioned, silent))
        try:
            policy = Policy(
                detection,
                {event_type: to},
                validate_source="never",
                allow_loss=allow_loss,
                # A row stays one row; and bytes by a schema need no reader in front.
                readers=[each for each in self.chain.readers if not each.splits] if encoding == "json" else [],
            )
            self.documents = documents_of(encoding, self.chain, policy, event_type, versioned=versioned, silent=silent)
        except ChainError as error:
            raise AtRestError(str(error), code="UPC1916") from None

    def _version_rules(self, versioned: bool, silent: str | None) -> tuple[VersionRule, ...]:
        if versioned:
            return (FromHeader(VERSION_HEADER),)
        rules = self.chain.detection.version
        return tuple(Always(silent) if silent and isinstance(each, Always) else each for each in rules)

    @property
    def takes_silent(self) -> bool:
        """Whether a document may leave its version out, so that it is taken for the column's."""
        if self.documents.tell_no_version:
            return True
        return not self._versioned and any(isinstance(each, Always) for each in self.chain.detection.version)

    def bring(self, document: bytes, version: str | None = None) -> Changed | Fault | None:
        """The document at ``to``; None where it is there already; or why it cannot be brought there."""
        outcome = self.documents.upcast(document, version)
        if isinstance(outcome, Upcast):
            above = outcome.passage.from_version in self._above
            if self._down is None or above is self._down:
                return self._changed(outcome, document)
            return None if self._down else _refused(outcome, f"the document is at a version above {self.to}")
        if isinstance(outcome, Passed):
            return None
        return outcome.fault if isinstance(outcome, DeadLettered) else _refused(outcome, "the chain drops it")

    def _changed(self, outcome: Upcast, document: bytes) -> Changed | Fault | None:
        value, records = outcome.new_value, outcome.new_records
        if records is not None:
            if (
                len(records) != 1
                or records[0].key is not None
                or any(n != VERSION_HEADER for n, _ in records[0].headers)
            ):
                return _refused(outcome, "the chain writes several records, a key or headers, which a row has not")
            value = records[0].value
        assert value is not None  # noqa: S101  # only tombstones are null, and they pass
        if value == document and not self._versioned:
            return None
        return Changed(value, outcome.passage.from_version, outcome.passage.to_version)

    def refuse_what_cannot_work(self, since: str | None) -> None:
        """Raise AtRestError naming each step on the ways from ``since`` (None: from any version) that a row cannot
        take."""
        versions = self.chain.types[self.event_type]
        if since is None and self.documents.tell_no_version:
            raise AtRestError(
                f"documents of {self.event_type} do not tell their version in this encoding: name the one that all are "
                'at, since="…", or the column that has it, version_column="…"',
                code="UPC1916",
            )
        known = (since,) if since is not None and since in versions else versions
        starts = [each for each in known if (each in self._above) is self._down]
        problems = dict.fromkeys(problem for start in starts for problem in self._problems(start))
        if problems:
            way = f"{self.event_type} cannot be brought to {self.to} in a column:"
            raise AtRestError("\n  ".join([way, *problems]), code="UPC1916")

    def way_back(self, since: str) -> Reversibility:
        """How far what came from a version to ``to`` can be brought back."""
        hops = self._hops(since)
        return max(
            (hop.reversed().inverse().kind if hop.down else hop.inverse().kind for hop in hops),
            default=Reversibility.EXACT,
        )

    def losses(self, since: str | None) -> list[str]:
        """What is lost on the way from a version, a line for each step that cannot be undone wholly."""
        lost = [
            f"{step.id}: {step.inverse().why}"
            for hop in self._hops(since or self.chain.current(self.event_type))
            if hop.down
            for step in hop.steps
            if step.inverse().kind is Reversibility.LOSSY
        ]
        return list(dict.fromkeys(lost))

    def _problems(self, start: str) -> Iterator[str]:
        for hop in self._hops(start):
            for step in hop.steps:
                if hop.down and not self._allow_loss and step.inverse().kind is Reversibility.LOSSY:
                    yield (
                        f"step {step.id} cannot be undone ({step.inverse().why}): restore a backup, "
                        "or accept the loss with --allow-loss (alembic: -x allow-loss=yes)"
                    )
                elif not hop.down and (step.splits or step.may_drop):
                    yield f"step {step.id} splits or drops events, and a row stays one row: name a version before it"
                elif not hop.down and any(isinstance(each, EventOperation) for each in walk(step.operations)):
                    yield f"step {step.id} changes type, key or headers, which a row has not: name a version before it"

    def _hops(self, start: str) -> tuple[Hop, ...]:
        try:
            return self.chain.path((self.event_type, start), {self.event_type: self.to})
        except Irreversible:
            return ()  # there is no way; should such a row be there, it is a failure with its key

    def _check_names(self) -> None:
        if self.event_type not in self.chain.types:
            known = ", ".join(self.chain.types)
            raise AtRestError(f"the chain has no type {self.event_type}: use one of {known}", code="UPC1916")
        if self.to not in self.chain.types[self.event_type]:
            known = ", ".join(self.chain.types[self.event_type])
            raise AtRestError(f"{self.event_type} has no version {self.to}: use one of {known}", code="UPC1916")


def _loaded(chain: Chain | str) -> Chain:
    if not isinstance(chain, str):
        return chain
    try:
        return load_chain(chain)
    except ChainError as error:
        raise AtRestError(f"chain {chain}: {error}", code="UPC1916") from None


def _refused(outcome: Outcome, why: str) -> Fault:
    assert not isinstance(outcome, DeadLettered)  # noqa: S101  # the caller has looked
    passage = outcome.passage
    return Fault("upcast", "NotForRows", why, passage.event_type, passage.from_version, passage.to_version)
