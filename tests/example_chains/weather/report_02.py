"""Names that say what they hold."""

from upcasters import Step, rename_many

step = Step(
    event_type="station-report",
    source=1,
    target=2,
    operations=[
        rename_many("", {"station": "stationId", "time": "takenAt"}),
    ],
)
