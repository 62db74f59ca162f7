"""Where traces go, if anywhere."""

from __future__ import annotations

from pydantic import Field

from worker.settings.section import Section


class TracingSettings(Section):
    endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="OTLP over HTTP: where a collector takes traces, such as `http://localhost:4318/v1/traces`; "
        "none means no tracing. Needs the extra `tracing`; the rest is set by OpenTelemetry's own `OTEL_*` variables.",
    )
    sample: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of transactions to record without an event of a recorded trace; all others are.",
    )
