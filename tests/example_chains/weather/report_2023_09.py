"""One sensor again; what describes the report stands in meta."""

from upcasters import Step, move, rename, unwrap

step = Step(
    event_type="weather.report",
    source="2023-03-01",
    target="2023-09-01",
    operations=[
        unwrap("sensors"),
        rename("sensors", "sensor"),
        move("interval", "meta.interval", parents="create"),
        move("kind", "meta.reportKind"),
    ],
)
