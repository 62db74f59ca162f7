"""Major and minor version apart, as numbers."""

from upcasters import Step, parse_json, split_value

step = Step(
    event_type="device",
    source=2,
    target=3,
    operations=[
        split_value("firmware", ".", ["major", "minor"]),
        parse_json("major"),
        parse_json("minor"),
    ],
)
