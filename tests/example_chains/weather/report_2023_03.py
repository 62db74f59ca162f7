"""Samples are numbered from one."""

from upcasters import Step, number

step = Step(
    event_type="weather.report",
    source="2022-12-01",
    target="2023-03-01",
    operations=[
        number("samples", "sampleNumber", start=1),
    ],
)
