"""The chain of a route: its history, what each step changes, the compatibility matrix, and the graph."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from upcasters import Chain
from upcasters.describe import changes, field_changes, history, matrix
from upcasters.step import Hop
from worker.api import documents
from worker.api.bounded_thread import BoundedThread
from worker.api.documents import ChainDescription, ChainGraph, CompatibilityMatrix, MappingTable
from worker.api.v2.answers import may_answer
from worker.routes.chains import RouteChain

RouteName = Annotated[
    str | None, Query(description="Source of a route. May be omitted where all routes have the same chain.")
]


def chain_of(chains: Mapping[str, RouteChain], route: str | None) -> RouteChain:
    """The route's chain. Raises HTTPException where there is no such route, or several to choose from."""
    if route is None:
        if len({given.chain.fingerprint for given in chains.values()}) == 1:
            return next(iter(chains.values()))
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "the routes have several chains: choose one with route=")
    if route not in chains:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no route of this worker reads that topic")
    return chains[route]


TAGS: list[str | Enum] = ["chain"]


def add_chain(router: APIRouter, chains: Mapping[str, RouteChain], aside: BoundedThread) -> None:
    problems = may_answer(404, 422)

    @router.get("/chain", tags=TAGS, responses=problems)
    async def chain(route: RouteName = None) -> ChainDescription:
        """Types and versions."""
        return await aside.run(_description, chains, chain_of(chains, route))

    @router.get("/chain/mapping", tags=TAGS, responses=problems)
    async def mapping(route: RouteName = None) -> MappingTable:
        """What each step changes, operation by operation, and in the models."""
        return await aside.run(_mapping, chain_of(chains, route).chain)

    @router.get("/chain/matrix", tags=TAGS, responses=problems)
    async def compatibility(
        route: RouteName = None,
        every: Annotated[
            bool, Query(alias="all", description="Every pair of versions, not only to the next and the current one.")
        ] = False,
    ) -> CompatibilityMatrix:
        """From which version to which, and how hard the way is."""
        return await aside.run(_matrix, chain_of(chains, route).chain, every)

    @router.get("/chain/graph", tags=TAGS, responses=problems)
    async def graph(route: RouteName = None) -> ChainGraph:
        """Versions as nodes and steps as edges, to be drawn."""
        return await aside.run(_graph, chain_of(chains, route).chain)


def _description(chains: Mapping[str, RouteChain], given: RouteChain) -> ChainDescription:
    chain = given.chain
    lines = history(chain)
    return ChainDescription(
        chain=given.route.chain,
        fingerprint=chain.fingerprint,
        routes=[source for source, other in chains.items() if other.chain.fingerprint == chain.fingerprint],
        types=[
            documents.ChainType(
                event_type=event_type,
                current=chain.current(event_type),
                newest=chain.newest(event_type),
                versions=[
                    documents.ChainVersion.model_validate(line) for line in lines if line.event_type == event_type
                ],
            )
            for event_type in chain.types
        ],
    )


def _mapping(chain: Chain) -> MappingTable:
    return MappingTable(fingerprint=chain.fingerprint, hops=[_hop(chain, hop) for hop in chain.hops.values()])


def _hop(chain: Chain, hop: Hop) -> documents.HopMapping:
    older = chain.versions[hop.source]
    differences = [each for end in hop.ends for each in field_changes(older, chain.versions[end])]
    return documents.HopMapping(
        event_type=hop.source[0],
        from_version=hop.source[1],
        to_type=hop.target[0],
        to_version=hop.target[1],
        step=hop.id,
        changes=[
            documents.MappingChange(
                depth=change.depth,
                text=change.text,
                reads=list(change.reads),
                writes=list(change.writes),
                way_back=str(change.back),
                why=change.why,
            )
            for change in changes(hop)
        ],
        fields=[documents.FieldDifference.model_validate(each) for each in differences],
    )


def _matrix(chain: Chain, every: bool) -> CompatibilityMatrix:
    rows = [
        documents.MatrixRow(
            event_type=row.event_type,
            source=row.source,
            target=row.target,
            path=row.path,
            hops=row.hops,
            complexity=row.complexity,
            way_back=str(row.reversible),
            why=row.why,
            notes=row.notes,
        )
        for row in matrix(chain, every=every)
    ]
    return CompatibilityMatrix(fingerprint=chain.fingerprint, rows=rows)


def _graph(chain: Chain) -> ChainGraph:
    nodes = [
        documents.GraphNode(
            id=_id(line.event_type, line.version),
            event_type=line.event_type,
            version=line.version,
            marks=list(line.marks),
        )
        for line in history(chain)
    ]
    edges = [
        documents.GraphEdge(
            source=_id(*hop.source),
            target=_id(*end),
            step=hop.id,
            preview=hop.preview,
            way_back=str(hop.inverse().kind),
        )
        for hop in chain.hops.values()
        for end in hop.ends
    ]
    return ChainGraph(fingerprint=chain.fingerprint, nodes=nodes, edges=edges)


def _id(event_type: str, version: str) -> str:
    return f"{event_type} {version}".rstrip()
