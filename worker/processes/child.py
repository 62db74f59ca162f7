"""What a child process knows of its family, from one environment variable."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

import msgspec

from worker.settings import RouteSettings, Settings

T = TypeVar("T")

VARIABLE = "_UPCAST_CHILD"


@dataclass(frozen=True)
class Child:
    """``number`` counts from 0; ``http`` and ``parent`` are inherited file descriptors: the socket to listen on, and
    the end of a pipe that closes when the parent is gone."""

    number: int
    of: int
    http: int
    parent: int

    def environment(self) -> dict[str, str]:
        return {VARIABLE: msgspec.json.encode(asdict(self)).decode()}

    def part_of(self, everything: Sequence[T]) -> Sequence[T]:
        """This child's share of a list that all children have."""
        return everything[self.number :: self.of]

    def share(self, rate: float | None) -> float | None:
        """This child's part of a rate that is meant for all."""
        return None if rate is None else rate / self.of

    def settings(self, given: Settings) -> Settings:
        """Each child is a member of its own, and keeps to its share of the rates."""
        kafka, routes = given.kafka, given.routes
        if kafka.group_instance_id:
            kafka = kafka.model_copy(update={"group_instance_id": f"{kafka.group_instance_id}-{self.number}"})
        return given.model_copy(update={"kafka": kafka, "routes": tuple(self._shared(route) for route in routes)})

    def _shared(self, route: RouteSettings) -> RouteSettings:
        rate = self.share(route.limits.records_per_second)
        return route.model_copy(update={"limits": route.limits.model_copy(update={"records_per_second": rate})})

    def listener(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self.http))

    def stop_without_parent(self, stop: asyncio.Event) -> None:
        """Set ``stop`` when the parent is gone: a killed parent leaves no unwatched workers behind."""
        loop = asyncio.get_running_loop()

        def on_end() -> None:
            loop.remove_reader(self.parent)
            stop.set()

        loop.add_reader(self.parent, on_end)


def this_child(environment: Mapping[str, str] | None = None) -> Child | None:
    """None in a process that is the only one."""
    told = (os.environ if environment is None else environment).get(VARIABLE)
    return None if told is None else msgspec.json.decode(told, type=Child)
