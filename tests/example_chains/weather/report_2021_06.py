"""The description of the device is brought to its own current version."""

from upcasters import Step, subdocument

step = Step(
    event_type="weather.report",
    source="2021-01-01",
    target="2021-06-01",
    operations=[
        subdocument("device", "device", version_field="schema"),
    ],
    lossy="devices describe themselves anew each day",
)
