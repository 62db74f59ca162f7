"""What stations send on their own account has a place of its own."""

from upcasters import Step, keep_only

KNOWN = [
    *("stationId", "takenAt", "quality", "flags", "sensors", "kind", "samples", "device", "wind"),
    *("tenant", "network", "region", "interval", "licence"),
]


step = Step(
    event_type="weather.report",
    source="2022-06-01",
    target="2022-12-01",
    operations=[
        keep_only(KNOWN, "extra"),
    ],
    lossy="which fields stood beside the known ones is not told",
)
