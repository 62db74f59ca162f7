"""Checks the graph of routes for cycles: a record in a cycle would be copied for ever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from worker.settings.route import RouteSettings

Edges = Mapping[str, tuple[str, ...]]


def loops(routes: Iterable[RouteSettings]) -> Iterator[str]:
    """Problems of the routes as a whole, one line each.

    Lineage headers only help a route whose source is its destination: it leaves records that it has upcast. In a longer
    cycle each route also writes records that need no change. A dead letter that a route reads becomes a dead letter
    again, or reaches readers that do not expect it: use `upcast dlq redrive`, which restores the original record and
    counts the rounds.
    """
    listed = list(routes)
    sources = {route.source for route in listed}
    for topic in dict.fromkeys(route.dead_letter for route in listed if route.dead_letter in sources):
        yield (
            f"{topic} is a dead-letter topic and a route's source: use `upcast dlq redrive` to send dead letters again"
        )
    if way := cycle(_edges(listed)):
        yield (
            f"the routes {' -> '.join(way)} lead back to where they begin: each record would be copied round for ever, "
            "lineage_headers or not; name another destination in one of them"
        )


def cycle(edges: Edges) -> tuple[str, ...]:
    """The topics of a way that ends where it begins; empty where there is none."""
    done: set[str] = set()
    for start in edges:
        way, ahead = [start], [iter(edges[start])]
        while ahead:
            topic = next(ahead[-1], None)
            if topic is None:
                ahead.pop()
                done.add(way.pop())
            elif topic in way:
                return (*way[way.index(topic) :], topic)
            elif topic in edges and topic not in done:
                way.append(topic)
                ahead.append(iter(edges[topic]))
    return ()


def _edges(routes: Iterable[RouteSettings]) -> Edges:
    """Without routes in place, which are judged by themselves."""
    edges: dict[str, tuple[str, ...]] = {}
    for route in routes:
        if route.source != route.destination:
            edges[route.source] = (*edges.get(route.source, ()), route.destination)
    return edges
