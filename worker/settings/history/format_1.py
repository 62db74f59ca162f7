"""The first prototype: one topic, and all settings flat beside each other."""

from upcasters import Baseline
from worker.settings.history import CONFIG

baseline = Baseline(CONFIG, "1")
