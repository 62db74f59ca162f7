"""The one list of deprecated things: schema versions, settings and endpoints.

The headers of the API, the warnings about settings, `upcast check` and the tables in the documentation all come from
here. An entry is added in the release that gives notice; it stays when the thing itself has gone, as its record.
"""

from __future__ import annotations

from datetime import date

from upcast_authoring.deprecation.policy import Deprecation

NOTICED = date(2026, 11, 25)
SUNSET = date(2027, 11, 30)

DEPRECATED = (
    Deprecation("endpoint", "/v1", "/v2", "0.1", "0.3", NOTICED, SUNSET),
    Deprecation("setting", "config format 1", "config format 3", "0.1", "0.3", NOTICED, SUNSET),
    Deprecation("setting", "config format 2", "config format 3", "0.1", "0.3", NOTICED, SUNSET),
    Deprecation("setting", "http.legacy_port", "http.port", "0.1", "0.3", NOTICED, SUNSET),
    Deprecation("schema", "task_context 1.0", "task_context 2.0", "0.1", "0.3", NOTICED, SUNSET),
    Deprecation("schema", "task_context 1.1", "task_context 2.0", "0.1", "0.3", NOTICED, SUNSET),
)


def find(name: str) -> Deprecation:
    """The entry of a thing. Raises KeyError where it is not deprecated."""
    for entry in DEPRECATED:
        if entry.name == name:
            return entry
    raise KeyError(name)
