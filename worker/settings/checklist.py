"""The acceptable range of performance, for `upcast checklist`."""

from __future__ import annotations

from pydantic import Field, PositiveFloat

from worker.settings.section import Section


class ChecklistSettings(Section):
    lag_seconds: PositiveFloat | None = Field(
        None, description="Age of the oldest record that waits, at most; none means that it is not judged."
    )
    latency_seconds: PositiveFloat | None = Field(
        None, description="From a record's timestamp to its commit, for 99 % of the records, at most."
    )
    dead_letter_share: float | None = Field(
        None, ge=0, le=1, description="Share of the records that may become dead letters."
    )
    memory_bytes: PositiveFloat | None = Field(None, description="Resident memory of the worker, at most.")
