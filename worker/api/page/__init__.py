"""The page for people at `/`: lanes, charts, replays, dead letters and the chain. With the token it also changes
routes and redrives dead letters. `/runbook/NAME` says what a fault means and what to do about it.

Plain files without a build step. The one library is uPlot 1.6.32 (MIT), as its package ships it; it draws the charts.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.api.page.runbook import runbook_page

TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
FILES = (
    "page.css",
    "page.js",
    "metrics.js",
    "charts.js",
    "lanes.js",
    "letters.js",
    "operate.js",
    "times.js",
    "runs.js",
    "chain.js",
    "uPlot.iife.min.js",
    "uPlot.min.css",
)
HTML = "text/html; charset=utf-8"
HEADERS = {
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def page() -> list[Route]:
    """Serves the page and its files, and nothing from any other address."""

    async def index(_: Request) -> Response:
        """The page for people."""
        return _answer("index.html")

    async def asset(request: Request) -> Response:
        """A file of the page."""
        name = request.path_params["name"]
        return _answer(name) if name in FILES else Response(status_code=404)

    async def runbook(request: Request) -> Response:
        """What a fault, a code or a metric means, and what to do."""
        given = request.query_params.get("fingerprint", "")
        text = runbook_page(request.path_params["name"], given if re.fullmatch("[0-9a-f]{16}", given) else "")
        return Response(text, headers={**HEADERS, "content-type": HTML})

    return [Route("/", index), Route("/page/{name}", asset), Route("/runbook/{name}", runbook)]


def _answer(name: str) -> Response:
    kind = TYPES[name.rpartition(".")[2]]
    return Response(_content(name), headers={**HEADERS, "content-type": f"{kind}; charset=utf-8"})


@cache
def _content(name: str) -> bytes:
    return (files("worker.api.page") / name).read_bytes()
