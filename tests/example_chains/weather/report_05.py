"""Direction and speed of the wind apart."""

from upcasters import Step, split_value

step = Step(
    event_type="station-report",
    source=4,
    target=5,
    operations=[
        split_value("wind", " ", ["direction", "speed"]),
    ],
)
