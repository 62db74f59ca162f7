"""The type gets the name that it has in the catalogue."""

from upcasters import Step, rename_type

step = Step(
    event_type="station-report",
    source=8,
    target=9,
    operations=[
        rename_type("weather.report"),
    ],
)
