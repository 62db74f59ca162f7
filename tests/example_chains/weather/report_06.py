"""Direction and speed belong together again, as an object."""

from upcasters import Step, nest

step = Step(
    event_type="station-report",
    source=5,
    target=6,
    operations=[
        nest(["direction", "speed"], "wind"),
    ],
)
