"""What the brokers' errors mean for the operator: what is wrong, which setting corrects it, and whether waiting helps.

``TABLE`` has a row for each error code that needs an action; ``in_words`` has a sentence for every error.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from aiokafka import errors
from aiokafka.errors import BrokerResponseError, KafkaError

from worker.errors import MAY_PASS, NEEDS_A_PERSON, WorkerError

MOST_TEXT = 500
"""The most characters of a text of the client."""
SHORT = 100
"""Longer texts of aiokafka are replaced by this module's own words."""


class Mends(StrEnum):
    """What has to happen before the same request can succeed."""

    NEVER = "never"
    """It cannot while this process runs, since its own settings are refused: the process ends with exit code 2."""
    BY_HAND = "by hand"
    """A person has to change something at the brokers or at another client. At the start, and in a bounded pass, the
    process ends with exit code 2. A running worker waits, and says for what."""
    IN_TIME = "in time"
    """It passes by itself: every process waits, also at the start."""


@dataclass(frozen=True)
class Refusal:
    """The meaning of an error code. ``found`` is what is wrong, ``fix`` what to do; one of them names the settings."""

    mends: Mends
    found: str
    fix: str

    def __str__(self) -> str:
        return f"{self.found}: {self.fix}"


_GRANT = (
    "grant the worker's user the right it lacks (Read on the sources and the group; Write and Describe on "
    "destinations, dead-letter topics and the transactional ids)"
)
_REPLICAS = "bring the missing brokers back, or lower min.insync.replicas of the topic"
TOO_LONG = "the text that the worker commits beside its offset is longer than the brokers accept"
_NOTE = "raise offset.metadata.max.bytes of the brokers (Kafka's own default is 4096)"

TABLE: Mapping[int, Refusal] = MappingProxyType(
    {
        7: Refusal(
            Mends.IN_TIME, "a broker did not finish the request in time", "see whether the brokers are overloaded"
        ),
        12: Refusal(Mends.BY_HAND, TOO_LONG, _NOTE),
        14: Refusal(Mends.IN_TIME, "the coordinator is still loading", "wait"),
        15: Refusal(Mends.IN_TIME, "there is no coordinator at the moment", "see whether all brokers are up"),
        19: Refusal(Mends.IN_TIME, "fewer replicas are in sync than min.insync.replicas asks for", _REPLICAS),
        20: Refusal(Mends.IN_TIME, "fewer replicas stored the batch than min.insync.replicas asks for", _REPLICAS),
        22: Refusal(Mends.IN_TIME, "the group has removed this member", "the worker joins again"),
        23: Refusal(
            Mends.BY_HAND,
            "the group has members that assign partitions by another strategy (partition.assignment.strategy) than the "
            "worker's `roundrobin`, or that are no consumers",
            "give the worker a group of its own (kafka.group_id), or stop the others and wait for the end of their "
            "sessions",
        ),
        24: Refusal(Mends.NEVER, "the brokers refuse this group id", "correct kafka.group_id"),
        25: Refusal(Mends.IN_TIME, "the group has removed this member", "the worker joins again"),
        26: Refusal(
            Mends.NEVER,
            "kafka.session_timeout is outside of what the brokers take (group.min.session.timeout.ms to "
            "group.max.session.timeout.ms)",
            "set kafka.session_timeout in between, or change the brokers",
        ),
        27: Refusal(Mends.IN_TIME, "the group is rebalancing", "the worker joins again"),
        28: Refusal(Mends.BY_HAND, TOO_LONG, _NOTE),
        29: Refusal(Mends.BY_HAND, "the brokers deny access to a topic", _GRANT),
        30: Refusal(Mends.BY_HAND, "the brokers deny access to the group", _GRANT),
        31: Refusal(Mends.BY_HAND, "the brokers deny an operation on the cluster", _GRANT),
        33: Refusal(
            Mends.BY_HAND,
            "the broker does not offer this way to log in",
            "set kafka.sasl_mechanism to one that it does",
        ),
        34: Refusal(
            Mends.BY_HAND,
            "the listener asks for no authentication",
            "set kafka.security_protocol to the protocol of the listener",
        ),
        35: Refusal(Mends.BY_HAND, "the brokers are too old for a request of the worker", "upgrade the brokers"),
        43: Refusal(
            Mends.BY_HAND,
            "the topic's message format is too old for headers and transactions",
            "set message.format.version of the topic to 2.8 or later",
        ),
        44: Refusal(Mends.BY_HAND, "a policy of the brokers refuses the request", "ask who runs the cluster"),
        50: Refusal(
            Mends.NEVER,
            "kafka.transaction_timeout is longer than the brokers take (transaction.max.timeout.ms)",
            "set kafka.transaction_timeout to no more, or raise the brokers'",
        ),
        53: Refusal(Mends.BY_HAND, "the brokers deny the use of a transactional id", _GRANT),
        54: Refusal(Mends.BY_HAND, "the brokers have no authorizer", "set authorizer.class.name of the brokers"),
        56: Refusal(Mends.IN_TIME, "a disk of the broker fails", "see the broker's own log"),
        58: Refusal(
            Mends.BY_HAND,
            "the broker refuses the login",
            "check kafka.sasl_username and kafka.sasl_password, or what kafka.sasl_oauth_token_* gives",
        ),
        76: Refusal(
            Mends.NEVER, "the brokers do not accept this compression", "set kafka.compression to one that they accept"
        ),
        81: Refusal(
            Mends.IN_TIME,
            "the group is full: it has as many members as the brokers take (group.max.size)",
            "stop a member, or raise group.max.size; the worker joins when there is room",
        ),
        82: Refusal(
            Mends.NEVER,
            "another member has joined with the same kafka.group_instance_id",
            "give each worker one of its own",
        ),
        88: Refusal(
            Mends.IN_TIME, "a transaction that moves the group's offset has not ended yet", "end that transaction"
        ),
        89: Refusal(Mends.IN_TIME, "a quota of the brokers is used up", "wait, or raise the quota"),
    }
)

WITHOUT_WORDS = (TimeoutError, ConnectionError, ConnectionResetError, BrokenPipeError, AssertionError)
"""Errors of Python, which aiokafka shows as `TimeoutError()`."""
WITHOUT_CODE: Mapping[str, str] = MappingProxyType(
    {
        "KafkaConnectionError": "the connection to a broker was lost",
        "NodeNotReadyError": "a broker cannot be reached",
        "KafkaTimeoutError": "the brokers did not finish the request in time",
        "KafkaUnavailableError": "the brokers cannot be reached",
        "NoBrokersAvailable": "the brokers cannot be reached",
        "MetadataEmptyBrokerList": "the answer names no broker",
        "StaleMetadata": "the client's metadata of the cluster is out of date",
        "CommitFailedError": "the group has given the partition to another member meanwhile",
        "ProducerClosed": "the producer was closed meanwhile",
        "ProducerFenced": "another producer of the same transactional id has started, or the brokers have aborted the "
        "transaction",
        "Cancelled": "the request was cancelled",
    }
)
"""Errors of aiokafka itself, whose own texts are empty or long."""


def hidden_cause(error: BaseException) -> BaseException:
    """The error that aiokafka has wrapped into a KafkaError, or only quotes in its text."""
    while (behind := _behind(error)) is not None:
        error = behind
    return error


def _behind(error: BaseException) -> BaseException | None:
    if type(error) is not KafkaError:
        return None
    if isinstance(error.__cause__, Exception):
        return error.__cause__
    shown = re.search(r"(\w+)\(", str(error.args[0])) if error.args else None
    hidden = _by_name().get(shown[1]) if shown else None
    return hidden() if hidden else None


def _by_name() -> dict[str, type[BaseException]]:
    everything = (*vars(errors).values(), *errors.kafka_errors.values())
    of_kafka = {each.__name__: each for each in everything if isinstance(each, type) and issubclass(each, KafkaError)}
    return {each.__name__: each for each in WITHOUT_WORDS} | of_kafka


def refusal_of(error: BaseException) -> Refusal | None:
    """The row of an error's code in ``TABLE``; None where there is none."""
    return _row(hidden_cause(error))


def waits_for_somebody(error: BaseException) -> bool:
    """Whether the request is refused until a person has changed something."""
    row = refusal_of(error)
    return row is not None and row.mends is not Mends.IN_TIME


def ending(error: BaseException, *, at_work: bool) -> WorkerError | None:
    """The error with which the process ends; None where it waits. ``at_work``: the worker has run before, so its set-up
    was right."""
    row = refusal_of(error)
    if row is None or row.mends is Mends.IN_TIME or (at_work and row.mends is Mends.BY_HAND):
        return None
    return WorkerError(f"kafka: {in_words(error)}", NEEDS_A_PERSON, code="UPC1204")


def unanswered(error: BaseException, what: str, seconds: float | None = None) -> WorkerError:
    """The error of a command whose request the brokers did not answer; ``what`` names the request."""
    return ending(error, at_work=False) or WorkerError(
        f"kafka: {what}: {in_words(error, seconds=seconds)}: try again once the cluster is healthy",
        MAY_PASS,
        code="UPC1205",
    )


@contextmanager
def answered(what: str, seconds: float | None = None) -> Iterator[None]:
    """Raises WorkerError where the brokers do not answer a request inside the block; ``what`` says what cannot be done
    then."""
    try:
        yield
    except (KafkaError, TimeoutError) as error:
        raise WorkerError(
            f"{what} ({in_words(error, seconds=seconds)}): try again", MAY_PASS, code="UPC1205"
        ) from error


def in_words(error: BaseException, doing: str = "", seconds: float | None = None) -> str:
    """An error in words: what went wrong, during what (``doing``) and, after a timeout, how many ``seconds`` it was.

    Never empty, and never with a value of an event: of errors that are neither Kafka's nor the worker's it has only
    name and place.
    """
    told = hidden_cause(error)
    if _is_ours(told) and (own := str(told.args[0] if isinstance(told, KafkaError) and told.args else told)):
        return own
    return " ".join(f"{_what(told, seconds)}{f', while {doing}' if doing else ''}{_next(told)}".split())


def _is_ours(error: BaseException) -> bool:
    by_us = type(error).__module__.partition(".")[0] in {"worker", "upcasters"}
    return by_us and not isinstance(error, BrokerResponseError)


def _what(error: BaseException, seconds: float | None) -> str:
    name = type(error).__name__
    if isinstance(error, KafkaError):
        return f"{name}: {_of_kafka(error)}"
    if isinstance(error, TimeoutError):
        return "no answer" + ("" if seconds is None else f" for {seconds:g} s")
    if isinstance(error, asyncio.CancelledError):
        return "it was cancelled meanwhile"
    if isinstance(error, OSError):
        return f"{name}: {error.strerror or _told_by_client(error) or 'the connection failed'}"
    surprise = "an impossible state" if isinstance(error, AssertionError) else f"an unexpected {name}"
    return f"the worker or its Kafka client met {surprise}{place_of(error)}"


_ADDRESS = re.compile(r"\('([^']+)', (\d+)")
"""In aiokafka's list of bootstrap servers: tuples, whose third part is a family of addresses."""


def _of_kafka(error: KafkaError) -> str:
    row, own = _row(error), _told_by_client(error)
    if own.startswith("Unable to bootstrap from"):
        return "cannot connect to " + ", ".join(f"{host}:{port}" for host, port in _ADDRESS.findall(own))
    if row:
        return f"{own}: {row.found}" if own else row.found
    known = WITHOUT_CODE.get(type(error).__name__)
    if known:
        return f"{known} ({own})" if own and len(own) <= SHORT else known
    return own or getattr(error, "description", "") or "the brokers refuse it without a reason"


def _told_by_client(error: BaseException) -> str:
    """The client's own text, mostly names of topics, a group or a transactional id."""
    return ", ".join(named_by(error))[:MOST_TEXT].rstrip(": ")


def named_by(error: BaseException) -> list[str]:
    """The topics, group or transactional id that a refusal names."""
    return sorted(
        " ".join(str(name).split())
        for given in error.args
        for name in (given if isinstance(given, set | frozenset) else (given,))
    )


def _next(error: BaseException) -> str:
    row = _row(error)
    return f": {row.fix}" if row else ""


def _row(error: BaseException) -> Refusal | None:
    return TABLE.get(getattr(error, "errno", 0)) if isinstance(error, BrokerResponseError) else None


def place_of(error: BaseException) -> str:
    """Where an error was raised, as `` (sender.py:191)``; empty where it was not raised."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" ({trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno})"
