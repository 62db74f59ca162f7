"""Where the worker answers probes, scrapes and the API."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, PositiveFloat, SecretStr

from worker.settings.section import Section


class HttpSettings(Section):
    host: str = Field("127.0.0.1", description="Address to listen on; `0.0.0.0` for all.")
    port: int = Field(
        8090,
        ge=0,
        le=65535,
        description="Port to listen on (also `DEVTEAM_RUNNER_PORT`); 0 takes a free one.",
    )
    legacy_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="A second port with the same API, for callers that know only the old one (also "
        "`LEGACY_RUNNER_PORT`; it was 8080); off unless it is set.",
    )
    token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer token of requests that change something, 16 characters at least; without one they are off.",
    )
    token_file: Path | None = Field(None, description="File that holds the token.")
    stuck_after: PositiveFloat = Field(
        60, description="Seconds without progress, with records waiting, after which `/livez` fails."
    )
    held_back_after: PositiveFloat = Field(
        60,
        description="Seconds that somebody's open transaction may keep a source from being read, while more is "
        "written, before `/readyz` fails. Longer than the longest transactions of its producers.",
    )
