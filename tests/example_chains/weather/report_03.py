"""Times in milliseconds."""

from upcasters import Step, convert


def to_milliseconds(seconds: int) -> int:
    return seconds * 1000


def to_seconds(milliseconds: int) -> int:
    return milliseconds // 1000


step = Step(
    event_type="station-report",
    source=2,
    target=3,
    operations=[
        convert("takenAt", to_milliseconds, to_seconds),
    ],
)
