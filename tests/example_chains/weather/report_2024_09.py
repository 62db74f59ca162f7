"""The tenant is a header, so that brokers can route by it."""

from upcasters import Step, field_to_header

step = Step(
    event_type="weather.report",
    source="2024-06-01",
    target="2024-09-01",
    operations=[
        field_to_header("tenant", "tenant-id"),
    ],
)
