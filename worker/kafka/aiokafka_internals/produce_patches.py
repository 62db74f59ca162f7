"""Patches of the producer: requests are encoded with one copy, and the error for which a batch is sent again is
remembered."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.protocol import types

OF_NOW = 5.0


def last_refusal(producer: AIOKafkaProducer) -> kafka_errors.KafkaError | None:
    """The recent error for which the producer sends a batch again, which it reports to nobody; None where there is
    none."""
    error, at = vars(producer._sender).get("_last_refusal", (None, 0.0))
    return error if time.monotonic() - at < OF_NOW else None


def remembering_refusals(may_retry: Callable[..., bool]) -> Callable[..., bool]:
    """Remember the error of a batch that aiokafka sends again, silently and for ever."""

    @functools.wraps(may_retry)
    def deciding(handler: Any, error: Any, batch: Any) -> bool:
        again = may_retry(handler, error, batch)
        vars(handler._sender)["_last_refusal"] = (error, time.monotonic())
        return again

    return deciding


def encoding_at_once(_: Callable[..., bytes]) -> Callable[..., bytes]:
    """aiokafka encodes a request level by level, and so copies its records five times. Nor does it accept a batch in
    parts, as ``LargeBatchBuilder`` makes it."""
    return _encoded_at_once


def _encoded_at_once(request: Any) -> bytes:
    values = (request.get_item(name) for name in request.SCHEMA.names)
    return b"".join(chain.from_iterable(map(_encoded, request.SCHEMA.fields, values)))


def _encoded(kind: Any, value: Any) -> Iterator[bytes]:
    if isinstance(kind, types.Array) and value is not None:
        yield types.Int32.encode(len(value))
        for item in value:
            yield from _encoded(kind.array_of, item)
    elif isinstance(kind, types.Schema):
        for inner, part in zip(kind.fields, value, strict=True):
            yield from _encoded(inner, part)
    elif kind is types.Bytes and value is not None:
        parts = value if isinstance(value, tuple) else (value,)
        yield types.Int32.encode(sum(map(len, parts)))
        yield from parts
    else:
        yield kind.encode(value)
