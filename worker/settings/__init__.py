"""Settings: one YAML file, each key also by environment, checked before anything starts."""

from worker.settings.kafka import KafkaSettings
from worker.settings.load import DEFAULT_CONFIG, load_settings
from worker.settings.model import Settings
from worker.settings.route import BreakerSettings, LimitSettings, RouteSettings, ValidateSettings
from worker.settings.sections import ChecklistSettings, HttpSettings, LedgerSettings

__all__ = [
    "DEFAULT_CONFIG",
    "BreakerSettings",
    "ChecklistSettings",
    "HttpSettings",
    "KafkaSettings",
    "LedgerSettings",
    "LimitSettings",
    "RouteSettings",
    "Settings",
    "ValidateSettings",
    "load_settings",
]
