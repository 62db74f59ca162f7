"""The first API: camelCase."""

from upcasters import Baseline
from worker.api.documents import DOCUMENTS

baselines = [Baseline(name, "1", id=name) for name in DOCUMENTS]
