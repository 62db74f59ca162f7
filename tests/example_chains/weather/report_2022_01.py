"""The number that the old registry gave goes."""

from upcasters import Step, drop

step = Step(
    event_type="weather.report",
    source="2021-06-01",
    target="2022-01-01",
    operations=[
        drop("legacyId", missing="skip"),
    ],
    lossy="the old registry is gone",
)
