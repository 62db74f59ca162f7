"""The checks of `upcast check` that read the configuration: routes and their chains, and topics that do not fit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from upcast_authoring.checks import Checked, lines_of, size_of
from upcast_authoring.lock import broken_promises
from upcasters import ChainError
from upcasters.checks import detection_notes
from worker.errors import WorkerError, with_code
from worker.preflight.facts import Finding
from worker.routes.chains import RouteChain, load_route_chain
from worker.settings import RouteSettings, Settings
from worker.settings.graph import loops

UNSEEN = (
    "the brokers' own settings may not be read, so transaction.max.timeout.ms and offset.metadata.max.bytes are not "
    "checked: allow DESCRIBE_CONFIGS on the cluster, or leave it to the start"
)


def check_routes(settings: Settings) -> list[Checked]:
    """Check each route's chain, and whether it can do what the route asks of it."""
    return [_check_route(route) for route in settings.routes]


def check_together(given: Mapping[str, Settings]) -> list[Checked]:
    """Check that the routes of several files form no cycle together; those of one file are checked before."""
    if len(given) == 1:
        return []
    routes = [route for settings in given.values() for route in settings.routes]
    return [Checked(" with ".join(given), "", problems=tuple(loops(routes)))]


def check_brokers(settings: Settings) -> list[Checked]:
    """Check topics and rights at the brokers. Raises ``WorkerError`` where they cannot be reached."""
    return asyncio.run(_check_brokers(settings))


def _check_route(route: RouteSettings) -> Checked:
    subject = f"{route.source} -> {route.destination}"
    from upcast_authoring.deprecation.of_chain import breaches

    try:
        chain = load_route_chain(route).chain
        notes = tuple(map(str, detection_notes(chain, route.policy().detection)))
        found = (*breaches(route.chain, chain), *broken_promises(route.chain, chain))
        return Checked(subject, route.chain, chain.fingerprint, found, notes, size=size_of(chain))
    except ChainError as error:
        return Checked(subject, route.chain, problems=lines_of(error))


async def _check_brokers(settings: Settings) -> list[Checked]:
    from worker.kafka.clients import KafkaClients
    from worker.kafka.waiting import wait_for_broker
    from worker.preflight.asking import ask_brokers
    from worker.preflight.judge import judge, of_severity

    clients = KafkaClients(settings.kafka)
    await wait_for_broker(clients)
    facts = await ask_brokers(clients, settings, ask_group=True)
    findings = judge(facts, settings, {given.route.source: given.traits for given in _loadable(settings)})
    refused, undecided, warned = (of_severity(findings, severity) for severity in ("refuse", "undecided", "warn"))
    problems = (*_findings(refused), *(f"UNDECIDED: {each}" for each in _findings(undecided)))
    warnings = (*_findings(warned), *(() if facts.limits.settings else (UNSEEN,)))
    at_fault = any(finding.of_settings for finding in refused)
    of_registry = [await _check_registry(route, settings) for route in settings.routes if route.framed]
    return [Checked(settings.kafka.bootstrap_servers, "", "", problems, warnings, at_fault), *of_registry]


async def _check_registry(route: RouteSettings, settings: Settings) -> Checked:
    """Whether the schemas that results are written by are there, or could be registered. Writes nothing."""
    from worker.schemas.registry import RegistryError

    subject = f"schemas of {route.destination}"
    try:
        framing = load_route_chain(route, settings.schema_registry).framing
        return Checked(subject, "", warnings=tuple(await framing.look()) if framing else ())
    except ChainError as error:
        return Checked(subject, "", problems=lines_of(error))
    except WorkerError as error:
        return Checked(subject, "", problems=tuple(with_code(*line) for line in error.lines))
    except RegistryError as error:
        return Checked(subject, "", problems=(with_code(str(error), "UPC2208"),))


def _findings(found: Iterable[Finding]) -> Iterator[str]:
    return (with_code(str(each), each.code) for each in found)


def _loadable(settings: Settings) -> list[RouteChain]:
    """Chains that do not load have been reported already."""
    loaded = []
    for route in settings.routes:
        try:
            loaded.append(load_route_chain(route))
        except ChainError:
            continue
    return loaded
