"""The base of requests that aiokafka does not have, each in one version."""

from __future__ import annotations

from typing import Any, ClassVar

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Schema, TaggedFields

TAGS = ("tags", TaggedFields)
"""The last field of each structure in a flexible version."""


class OneVersionRequest(Request[RequestStruct]):  # type: ignore[misc]  # aiokafka has no types
    """A subclass names its API ``key`` and ``version``, the schema that it ``asks`` and that of the ``answer``; an
    instance has values in the order of ``asks``. Where the broker does not support the version, sending raises as for
    aiokafka's own requests."""

    API_KEY = -1
    Answer: ClassVar[type[Any]]

    def __init_subclass__(cls, *, key: int, version: int, asks: Schema, answer: Schema, flexible: bool = True) -> None:
        super().__init_subclass__()
        names = {"API_KEY": key, "API_VERSION": version}
        cls.API_KEY = key
        cls.Answer = type(f"{cls.__name__}Answer", (Response,), names | {"SCHEMA": answer})
        more = {"SCHEMA": asks, "RESPONSE_TYPE": cls.Answer, "FLEXIBLE_VERSION": flexible}
        cls._CLASSES = (type(f"{cls.__name__}V{version}", (RequestStruct,), names | more),)

    def __init__(self, *values: Any) -> None:
        self._values = values

    def build(self, struct: type[Any]) -> Any:
        return struct(*self._values)
