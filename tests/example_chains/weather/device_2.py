"""Firmware in full."""

from upcasters import Step, rename

step = Step(
    event_type="device",
    source=1,
    target=2,
    operations=[
        rename("fw", "firmware"),
    ],
)
