"""A station may have several sensors."""

from upcasters import Step, rename, wrap

step = Step(
    event_type="station-report",
    source=7,
    target=8,
    operations=[
        wrap("sensor"),
        rename("sensor", "sensors"),
    ],
)
