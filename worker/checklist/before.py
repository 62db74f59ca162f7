"""Evidence that needs no running worker: configuration, chains, and a replay somewhere else."""

from __future__ import annotations

from pathlib import Path

from upcasters import Chain
from upcasters.describe import matrix
from worker.checklist.evidence import Evidence, Facts, failed, passed, unknown
from worker.replay.apply.receipt import read_receipt
from worker.route_checks import check_routes


async def configuration(facts: Facts) -> list[Evidence]:
    """The settings were read already; the chains must be able to do what the routes ask."""
    found = []
    for checked in check_routes(facts.settings):
        if checked.problems:
            found.append(failed(f"{checked.subject}: {checked.problems[0]}"))
        else:
            found.append(passed(f"{checked.subject}: settings valid, chain {checked.fingerprint}"))
    return found


async def compatibility_matrix(facts: Facts) -> list[Evidence]:
    """Every version of every type can be upcast to its route's target."""
    return [reaches(source, given.chain, dict(given.route.policy().target)) for source, given in facts.chains.items()]


def reaches(source: str, chain: Chain, pinned: dict[str, str]) -> Evidence:
    """Whether every older version of every type has a way to the target (type -> version; current where none is)."""
    rows, versions, targets = matrix(chain), 0, []
    for event_type in chain.types:
        target = _goal(chain, event_type, pinned)
        older = chain.older(event_type, pinned.get(event_type))
        versions += len(older)
        targets += [target] if older else []
        ways = {(row.event_type, row.source) for row in rows}
        without = [version for version in older if (event_type, version) not in ways]
        if without:
            return failed(f"{source}: no path from {event_type} {', '.join(without)} to {target}: see `upcast matrix`")
    return passed(
        f"{source}: {versions} older versions have a path to {', '.join(dict.fromkeys(targets))}: see `upcast matrix`"
    )


def _goal(chain: Chain, event_type: str, pinned: dict[str, str]) -> str:
    """What the events of a type become: a version of it, or other types."""
    version = pinned.get(event_type) or chain.resting(event_type)
    if version is not None:
        return f"{event_type} {version}"
    ends = chain.path((event_type, chain.types[event_type][0]), pinned)[-1].ends
    return " and ".join(f"{name} {other}" for name, other in ends) or "no event"


async def staging_replay(facts: Facts) -> list[Evidence]:
    """A receipt from another cluster, made with the chain of here."""
    if facts.staging is None:
        return [unknown("name the receipt of a replay in staging with --staging")]
    receipt = read_receipt(Path(facts.staging))
    route = receipt.route
    given = next((each for each in facts.chains.values() if each.chain.fingerprint == route.chain_fingerprint), None)
    if given is None:
        return [failed(f"{facts.staging}: the replay used chain {route.chain_fingerprint}, which no route has now")]
    read = sum(each.counts.read for each in receipt.partitions)
    return [
        passed(
            f"replay {receipt.replay_id} on cluster {receipt.cluster_id}, ended {receipt.ended:%Y-%m-%d %H:%M}Z: "
            f"{read:,} records with the current chain ({route.chain_fingerprint})"
        )
    ]
