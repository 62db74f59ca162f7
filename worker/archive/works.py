"""What a run is about: a route of the configuration, or a chain by itself, and the archive's columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from upcasters import ChainError, Policy
from upcasters.arrow import Columns
from worker.archive.files import ArchiveWork
from worker.archive.sources import place_in_full
from worker.archive.tasks import Work
from worker.errors import WorkerError

if TYPE_CHECKING:
    from upcasters import Chain
    from worker.routes.chains import RouteChain

ORIGIN = "origin"


@dataclass(frozen=True)
class Asked:
    """What the user has said beside the archive: a route, or a chain with the versions to bring events to."""

    route: RouteChain | None = None
    chain: str = ""
    target: Mapping[str, str] | None = None


def new_work(
    asked: Asked, archive: str, destination: str, columns: Columns, prefix: str, include: tuple[str, ...]
) -> tuple[Work, ArchiveWork]:
    """What tasks need, and what the plan says of it. Raises WorkerError."""
    _refuse_inside(archive, destination)
    told = {
        "archive": archive,
        "destination": destination,
        "prefix": prefix,
        "include": include,
        "columns": told_columns(columns),
    }
    if asked.route is None:
        chain, policy = _load(asked.chain), Policy(target=asked.target or {})
        made = ArchiveWork(chain=asked.chain, chain_fingerprint=chain.fingerprint, targets=dict(policy.target), **told)
        return _work(made, policy, chain), made
    from worker.replay.plan.identity import planned_route

    route = planned_route(asked.route)
    _refuse_framed(asked.route)
    made = ArchiveWork(
        route=route.source,
        chain=route.chain,
        chain_fingerprint=route.chain_fingerprint,
        config_fingerprint=route.config_fingerprint,
        targets=route.targets,
        **told,
    )
    return _work(made, asked.route.route.policy(), asked.route.chain), made


def known_work(made: ArchiveWork, route: RouteChain | None) -> Work:
    """The same again, for a plan or a receipt. Raises WorkerError where chain or settings are others now."""
    if route is None:
        chain, policy = _load(made.chain), Policy(target=made.targets)
    else:
        from worker.replay.plan.identity import planned_route

        if planned_route(route).config_fingerprint != made.config_fingerprint:
            raise WorkerError(
                f"route {made.route}: its settings that decide what comes out have changed since the plan: plan again",
                code="UPC1952",
            )
        chain, policy = route.chain, route.route.policy()
    if chain.fingerprint != made.chain_fingerprint:
        raise WorkerError(
            f"chain {made.chain} is {chain.fingerprint} now and {made.chain_fingerprint} in the plan: plan again, or "
            "install that version of its package",
            code="UPC1952",
        )
    return _work(made, policy, chain)


def told_columns(columns: Columns) -> dict[str, str | None]:
    """The names that were given, as a plan has them."""
    named = {field.name: getattr(columns, field.name) for field in fields(columns)}
    return {name: ",".join(value) if name == ORIGIN and value else value for name, value in named.items()}


def columns_of(told: Mapping[str, str | None]) -> Columns:
    """The same as a plan has them."""
    origin = told.get(ORIGIN)
    named = {name: value for name, value in told.items() if name != ORIGIN and value is not None}
    return Columns(**named, origin=parse_origin(origin) if origin else None)


def parse_origin(text: str) -> tuple[str, str, str]:
    """The columns of topic, partition and offset. Raises WorkerError."""
    found = tuple(text.split(","))
    if len(found) != 3 or not all(found):
        raise WorkerError(
            f"--origin {text}: write the columns of topic, partition and offset, as topic,partition,offset",
            code="UPC1952",
        )
    return found


def _work(made: ArchiveWork, policy: Policy, chain: Chain) -> Work:
    try:
        chain.upcaster(policy)
    except ChainError as error:
        raise WorkerError(str(error), code="UPC1952") from None
    # In full, since an executor works in a folder of its own.
    places = (place_in_full(made.archive), place_in_full(made.destination))
    return Work(*places, made.chain, made.chain_fingerprint, policy, columns_of(made.columns), made.prefix)


def _load(name: str) -> Chain:
    from upcasters.loading import load_sound_chain

    try:
        return load_sound_chain(name)
    except ChainError as error:
        raise WorkerError(str(error), code="UPC1952") from None


def _refuse_framed(route: RouteChain) -> None:
    if route.framing is not None:
        raise WorkerError(
            f"{route.route.source}: its values have a frame of a schema registry, which archives are not read with: "
            "give the chain by itself with --chain, where the archive's values are bare JSON",
            code="UPC1952",
        )


def _refuse_inside(archive: str, destination: str) -> None:
    source, target = place_in_full(archive), place_in_full(destination)
    if f"{target}/".startswith(f"{source}/") or f"{source}/".startswith(f"{target}/"):
        raise WorkerError(
            f"--to {destination}: and {archive} are one inside the other: give a folder beside it", code="UPC1952"
        )
