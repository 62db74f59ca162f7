"""The tenant stands in the body."""

from upcasters import Step, header_to_field

step = Step(
    event_type="weather.report",
    source="2019-11-01",
    target="2020-06-01",
    operations=[
        header_to_field("tenant", "tenant"),
    ],
)
