"""Times in milliseconds."""

from upcasters import Step, convert_time

step = Step(
    event_type="station-report",
    source=2,
    target=3,
    operations=[
        convert_time("takenAt", "s", "ms"),
    ],
)
