"""Some stations went on saying station; meta tells the tenant as well."""

from upcasters import Step, copy, first_of

step = Step(
    event_type="weather.report",
    source="2023-09-01",
    target="2024-01-01",
    operations=[
        first_of(["stationId", "station"], "station"),
        copy("tenant", "meta.tenant"),
    ],
)
