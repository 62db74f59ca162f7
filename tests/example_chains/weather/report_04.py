"""The flags are an object and no longer text that holds one."""

from upcasters import Step, parse_json

step = Step(
    event_type="station-report",
    source=3,
    target=4,
    operations=[
        parse_json("flags"),
    ],
)
