"""Sections, and several pipelines from topic to topic."""

from types import MappingProxyType

from upcasters import Step, move, rename, wrap
from worker.settings.history import CONFIG

MOVED = MappingProxyType(
    {
        "brokers": "kafka.brokers",
        "group": "kafka.group",
        "compression": "kafka.compression",
        "port": "http.port",
        "admin_token": "http.admin_token",
        "input_topic": "pipeline.input",
        "output_topic": "pipeline.output",
        "error_topic": "pipeline.errors",
        "upcasters": "pipeline.upcasters",
        "event": "pipeline.event",
        "mode": "pipeline.mode",
    }
)

step = Step(
    event_type=CONFIG,
    source="1",
    target="2",
    operations=[
        *(move(old, new, missing="skip", parents="create") for old, new in MOVED.items()),
        wrap("pipeline", missing="skip"),
        rename("pipeline", "pipelines", missing="skip"),
    ],
    notes="one topic becomes a list of pipelines",
)
