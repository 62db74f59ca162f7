"""Major and minor version apart, as numbers."""

from upcasters import Step, convert, split_value

step = Step(
    event_type="device",
    source=2,
    target=3,
    operations=[
        split_value("firmware", ".", ["major", "minor"]),
        convert("major", int, str),
        convert("minor", int, str),
    ],
)
