"""Two words for the same quality become one."""

from upcasters import Step, map_values

step = Step(
    event_type="station-report",
    source=6,
    target=7,
    operations=[
        map_values("quality", {"good": "ok", "fine": "ok", "bad": "rejected"}, back={"ok": "good"}),
    ],
)
