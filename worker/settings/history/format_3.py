"""The names of today: Kafka's own for what is Kafka's, and routes instead of pipelines."""

from types import MappingProxyType

from upcasters import Operation, Step, at, map_values, rename, rename_many
from worker.settings.history import CONFIG

ROUTE = MappingProxyType(
    {
        "input": "source",
        "output": "destination",
        "errors": "dead_letter",
        "upcasters": "chain",
        "event": "event_type",
        "mode": "delivery",
        "on_unknown": "unknown_type",
    }
)


def _words(field: str, table: dict[str, str]) -> Operation:
    """Words of then become those of today; what is none of them is left to the check of the settings."""
    return map_values(field, table, otherwise="keep", missing="skip", null="keep", wrong_type="skip")


step = Step(
    event_type=CONFIG,
    source="2",
    target="3",
    operations=[
        rename_many("kafka", {"brokers": "bootstrap_servers", "group": "group_id"}, missing="skip", wrong_type="skip"),
        _words("kafka.compression", {"uncompressed": "none"}),
        rename("http.admin_token", "token", missing="skip", wrong_type="skip"),
        rename("pipelines", "routes", missing="skip"),
        at(
            "routes.*",
            rename_many("", dict(ROUTE), missing="skip"),
            _words("delivery", {"exactly_once": "exactly-once", "at_least_once": "at-least-once"}),
            _words("unknown_type", {"dlq": "dead-letter"}),
            missing="skip",
            wrong_type="skip",
        ),
    ],
    lossy="words of today may stand in an older file, too",
    notes="names and words of today",
)
