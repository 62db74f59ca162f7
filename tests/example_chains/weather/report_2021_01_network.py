"""Stations belong to a network."""

from upcasters import Step, default

step = Step(
    event_type="weather.report",
    source="2020-06-01",
    target="2021-01-01",
    operations=[
        default("network", "public"),
    ],
)
