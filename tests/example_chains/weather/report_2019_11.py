"""Units are called by the name that their standard uses, wherever they stand."""

from upcasters import Step, everywhere, present, rename

step = Step(
    event_type="weather.report",
    source=9,
    target="2019-11-01",
    operations=[
        everywhere(present("unit"), rename("unit", "uom"), stop_at=["device"]),
    ],
    lossy="an object may have had uom before, and no reader of version 9 is left",
)
