"""Verifies a receipt, from the settings to the verdict: the composition of `upcast verify`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from upcasters.event import SourcePartition
from upcasters.fingerprint import kind_of
from worker.errors import WorkerError
from worker.kafka.clients import KafkaClients
from worker.kafka.fetched import FetchedBatch
from worker.kafka.log_offsets import hidden_in, once_readable
from worker.kafka.open_transactions import OpenTransaction, open_transactions
from worker.kafka.refusals import answered
from worker.kafka.waiting import wait_for_broker
from worker.ledger import Proof, open_ledger
from worker.progress import OnProgress
from worker.replay.apply.preconditions import other_kind
from worker.replay.apply.receipt import PartitionReceipt, Receipt
from worker.replay.plan.identity import config_fingerprint, target_schemas
from worker.replay.plan.overlap import read_by_others
from worker.replay.ranges import Range
from worker.replay.reading import open_range_reader, read_ranges, with_schemas
from worker.replay.topics import cluster_id_of, compacted_of, partition_counts, refuse_hidden_topics
from worker.routes.chains import RouteChain
from worker.runtime import VERSION
from worker.settings import Settings
from worker.verifying.destination import ORIGIN, SOURCE, OtherLetters, OtherWriters, Stream, read_from, written_by
from worker.verifying.duplicate_search import Search, SearchScope
from worker.verifying.findings import Findings
from worker.verifying.matching import Matching
from worker.verifying.oracle import ExpectedLineage, Judges, Oracle
from worker.verifying.read_ahead import Ahead
from worker.verifying.redrives import LetterOracle, Merged, made_of

PATIENCE = 15.0
"""Seconds to wait for open transactions to end."""


async def wait_for_markers(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> dict[TopicPartition, OpenTransaction]:
    """Wait until all records that the partitions hold now can be read, for ``PATIENCE`` seconds at most; returns the
    open transactions that then still hide some."""
    offsets = await once_readable(consumer, partitions, PATIENCE)
    found = await open_transactions(consumer, hidden_in(offsets))
    return {TopicPartition(each.topic, each.partition): each for each in found}


Sides = tuple[Ahead, tuple[Stream, Stream], ExpectedLineage, Sequence[OtherWriters]]
"""The source, the output (in the destination, and as dead letters), the lineage headers to expect, and records of other
writers in the same partitions."""


@dataclass
class ReceiptVerdict:
    """The result of a verification; ``findings.result`` is its verdict."""

    records: int = 0
    outputs: int = 0
    dead_letters: int = 0
    seconds: float = 0.0
    findings: Findings = field(default_factory=Findings)


async def verify(settings: Settings, given: RouteChain, receipt: Receipt, progress: OnProgress) -> ReceiptVerdict:
    """Verify a receipt; ``progress`` is called with offsets. Raises WorkerError where that is impossible: another
    cluster or chain, or the brokers do not answer."""
    await given.begin()
    _refuse_other_chain(given, receipt)
    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    cluster = await cluster_id_of(clients)
    if cluster != receipt.cluster_id:
        raise WorkerError(
            f"receipt: it is of cluster {receipt.cluster_id}, this is {cluster}: correct kafka.bootstrap_servers",
            code="UPC1608",
        )
    with answered("kafka: the topics cannot be read"):
        return await Verification(clients, given, receipt, progress).run()


def _refuse_other_chain(given: RouteChain, receipt: Receipt) -> None:
    route = receipt.route
    if kind_of(route.chain_fingerprint) != kind_of(given.chain.fingerprint):
        raise WorkerError(
            f"receipt: {other_kind(route.chain_fingerprint, given.chain.fingerprint)}: verify with the version of "
            "the worker that made the receipt",
            code="UPC1705",
        )
    for name, told, found in (
        ("chain", route.chain_fingerprint, given.chain.fingerprint),
        (
            "configuration of the route",
            route.config_fingerprint,
            config_fingerprint(given.route, target_schemas(given)),
        ),
    ):
        if told != found:
            raise WorkerError(
                f"receipt: the {name} has fingerprint {found} now, the replay was made with {told}: verify with the "
                f"{name} of the replay",
                code="UPC1705",
            )


class Verification:
    """Verifies partition after partition, so that memory stays bounded."""

    def __init__(self, clients: KafkaClients, given: RouteChain, receipt: Receipt, progress: OnProgress) -> None:
        self._clients = clients
        self._judges = Judges(given, receipt.filters)
        self._receipt = receipt
        self._progress = progress
        self._verdict = ReceiptVerdict()
        self._again = False
        """Whether another replay has read the same offsets: its output may stand before that of this one."""
        self._open: dict[TopicPartition, OpenTransaction] = {}
        """The open transactions in partitions that were written to, by partition."""
        self._given = given
        self._sighted = SearchScope()

    async def run(self) -> ReceiptVerdict:
        began = time.monotonic()
        counts = await partition_counts(self._clients)
        self._verdict.findings = findings = Findings()
        route = self._receipt.route
        topics = (self._receipt.topic, route.destination, route.dead_letter)
        missing = [topic for topic in dict.fromkeys(topics) if not counts.get(topic)]
        if missing:
            await refuse_hidden_topics(self._clients, missing)
        for topic in missing:
            findings.add("no such topic", topic)
        if not missing:
            self._again = await self._was_read_again()
            async with AsyncExitStack() as stack:
                consumers = [await stack.enter_async_context(open_range_reader(self._clients, 4)) for _ in range(3)]
                written = [TopicPartition(name, at) for name in topics[1:] for at in range(counts[name])]
                self._open = await wait_for_markers(consumers[0], written)
                for partition in self._receipt.partitions:
                    await self._partition(partition, consumers, counts)
                readers = consumers[0], consumers[1]
                await Search(self._given, self._receipt, self._sighted, counts, readers, findings).run()
        if findings.wrong:
            await self._explain(list(dict.fromkeys(topics)))
        self._verdict.seconds = time.monotonic() - began
        return self._verdict

    async def _was_read_again(self) -> bool:
        told = self._receipt
        if told.redrive is not None:
            return False
        ranges = [Range(each.partition, each.start, each.end) for each in told.partitions]
        return await read_by_others(self._clients, told.group, told.replay_id, told.route.source, ranges)

    async def _explain(self, topics: list[str]) -> None:
        for topic in await compacted_of(self._clients, topics):
            told = "the topic is compacted: records that Kafka has removed cannot be distinguished from lost ones"
            self._verdict.findings.add("compacted", f"{topic}: {told}: verify right after a replay")

    async def _partition(
        self, partition: PartitionReceipt, consumers: list[AIOKafkaConsumer], counts: dict[str, int]
    ) -> None:
        if await self._is_gone(partition, consumers[0], counts):
            return
        await self._forget_ended(consumers[0])
        made = self._redriven if self._receipt.redrive is not None else self._replayed
        wanted = range(partition.start, partition.end) if self._receipt.redrive is None else range(0)
        place = self._receipt.route.source, partition.partition
        letters = OtherLetters(self._receipt.replay_id, place, wanted, counts[self._receipt.route.dead_letter])
        source, written, lineage, others = made(partition, consumers, counts, letters)
        matching = Matching(
            self._receipt, partition, source, written, lineage, others[0], letters, self._verdict.findings
        )
        await matching.run()
        self._tell_of_hidden(partition, matching.hidden, counts)
        self._note_sighted(partition, source, others)
        self._verdict.records += matching.counts.read
        self._verdict.outputs += matching.counts.produced
        self._verdict.dead_letters += matching.counts.dead_lettered
        self._progress(self._verdict.records, sum(each.counts.read for each in self._receipt.partitions))

    async def _forget_ended(self, consumer: AIOKafkaConsumer) -> None:
        """Forget transactions that ended during the reading."""
        offsets = await consumer.log_offsets(self._open)
        self._open = {at: each for at, each in self._open.items() if offsets[at].stable < each.offset + each.hidden}

    def _tell_of_hidden(self, partition: PartitionReceipt, missing: int, counts: dict[str, int]) -> None:
        """Report that hidden records may be the missing ones, or duplicates."""
        for at in self._homes(partition, counts):
            if held := self._open.get(at):
                told = (
                    f"{missing:,} records that were not found may stand there"
                    if missing
                    else "everything was found before it"
                )
                place = f"partition {partition.partition}: {held}; {told}: {held.fix}, then verify again"
                self._verdict.findings.leave_open("behind an open transaction", place, held.hidden)

    def _homes(self, partition: PartitionReceipt, counts: dict[str, int]) -> list[TopicPartition]:
        """The partitions in which outputs and dead letters of a source partition may stand."""
        route, number = self._receipt.route, partition.partition
        if self._receipt.redrive is None:
            at = ((name, number % counts[name]) for name in (route.destination, route.dead_letter))
            return list(dict.fromkeys(TopicPartition(*each) for each in at))
        homes = range(number, counts[route.destination], counts[route.dead_letter])
        return [*(TopicPartition(route.destination, home) for home in homes), TopicPartition(route.dead_letter, number)]

    async def _is_gone(self, partition: PartitionReceipt, consumer: AIOKafkaConsumer, counts: dict[str, int]) -> bool:
        """Whether the source no longer has the receipt's range; then it cannot be verified."""
        topic, number = self._receipt.topic, partition.partition
        place = TopicPartition(topic, number)
        if number >= counts[topic]:
            self._verdict.findings.add("source gone", f"{topic} has no partition {number}")
            return True
        log = (await consumer.log_offsets([place]))[place]
        if partition.start < min(log.start, partition.end) or log.end < partition.end:
            self._verdict.findings.add(
                "source gone",
                f"{topic} partition {number} holds offsets {log.start} to {log.end}, but the receipt is about "
                f"{partition.start} to {partition.end}",
            )
            return True
        if log.stable < partition.end:
            for held in await open_transactions(consumer, {place: log}):
                self._verdict.findings.leave_open("behind an open transaction", f"{held}: {held.fix}", held.hidden)
            return True
        return False

    def _note_sighted(self, partition: PartitionReceipt, source: Ahead, others: Sequence[OtherWriters]) -> None:
        """Note what was read, for the search for records without lineage headers."""
        self._sighted.add_times(source.times)
        for each in others:
            begin = 0 if self._again else partition.destination_start
            self._sighted.add_partition(each.home, begin, each.unmarked_end)

    def _replayed(
        self,
        partition: PartitionReceipt,
        consumers: list[AIOKafkaConsumer],
        counts: dict[str, int],
        letters: OtherLetters,
    ) -> Sides:
        route, number = self._receipt.route, partition.partition
        place = SourcePartition(route.source, number)
        planned = [Range(number, partition.start, partition.end)]
        source = Ahead(
            with_schemas(read_ranges(consumers[0], route.source, planned), self._given.learn),
            Oracle(self._judges, self._receipt, place),
            partition.stretches,
        )
        wanted = range(partition.start, partition.end)
        others = OtherWriters(self._receipt.replay_id, (route.source, number), wanted, counts[route.destination])
        written = self._written(partition, consumers, counts, others, letters)
        return source, written, ExpectedLineage(self._receipt, place), [others]

    def _redriven(
        self,
        partition: PartitionReceipt,
        consumers: list[AIOKafkaConsumer],
        counts: dict[str, int],
        letters: OtherLetters,
    ) -> Sides:
        """The letters of one partition may be of several source partitions."""
        route, number = self._receipt.route, partition.partition
        oracle = LetterOracle(self._judges, self._receipt, number)
        source, destination, reader = consumers
        ours = made_of(self._receipt.replay_id, number)
        homes = range(number, counts[route.destination], counts[route.dead_letter])
        if len(homes) > 1:
            parts = [self._read_apart(route.destination, home, partition.destination_start) for home in homes]
        else:
            parts = [read_from(destination, route.destination, number, partition.destination_start)]
        short = [TopicPartition(route.destination, home) in self._open for home in homes]
        letters_short = TopicPartition(route.dead_letter, number) in self._open
        others = [
            OtherWriters(self._receipt.replay_id, ("", home), range(0), counts[route.destination]) for home in homes
        ]
        planned = [Range(number, partition.start, partition.end)]
        return (
            Ahead(
                with_schemas(read_ranges(source, route.dead_letter, planned), self._given.learn),
                oracle,
                partition.stretches,
                oracle.opened,
            ),
            (
                Merged(
                    [
                        Stream(part, made_of(self._receipt.replay_id, number, beside), short=is_short)
                        for part, beside, is_short in zip(parts, others, short, strict=True)
                    ]
                ),
                Stream(
                    read_from(reader, route.dead_letter, number, partition.dead_letter_start),
                    ours,
                    short=letters_short,
                ),
            ),
            oracle.lineage(SourcePartition(route.source, number), 0),
            others,
        )

    async def _read_apart(self, topic: str, partition: int, start: int) -> AsyncIterator[FetchedBatch]:
        """Read with a consumer of its own, where several partitions are read side by side."""
        async with open_range_reader(self._clients, 4) as consumer:
            async for batch in read_from(consumer, topic, partition, start):
                yield batch

    def _written(
        self,
        partition: PartitionReceipt,
        consumers: list[AIOKafkaConsumer],
        counts: dict[str, int],
        others: OtherWriters,
        letters: OtherLetters,
    ) -> tuple[Stream, Stream]:
        """The destination and the dead letters."""
        route, number = self._receipt.route, partition.partition

        def stream(
            consumer: AIOKafkaConsumer, topic: str, start: int, names: tuple[str, str, str], beside: OtherWriters
        ) -> Stream:
            ours = written_by(self._receipt.replay_id, route.source, number, names, beside)
            home = number % counts[topic]
            short = TopicPartition(topic, home) in self._open
            return Stream(read_from(consumer, topic, home, start), ours, short=short)

        return (
            stream(consumers[1], route.destination, 0 if self._again else partition.destination_start, SOURCE, others),
            stream(consumers[2], route.dead_letter, partition.dead_letter_start, ORIGIN, letters),
        )


def record_proof(settings: Settings, receipt: Receipt, verdict: ReceiptVerdict) -> str:
    """Record the verdict in the ledger; returns why that failed, empty where it did not. The verdict counts all the
    same."""
    proof = Proof(
        replay_id=receipt.replay_id,
        made=datetime.now(UTC),
        worker_version=VERSION,
        records=verdict.records,
        findings=verdict.findings.wrong,
        undecided=verdict.findings.undecided,
    )
    try:
        ledger = open_ledger(settings.ledger.url.get_secret_value())
    except WorkerError as error:
        return str(error)
    try:
        ledger.save_proof(proof)
    except WorkerError as error:
        return str(error)
    finally:
        ledger.close()
    return ""
