"""One event per sample, numbered so that the report can be put together again."""

from upcasters import Baseline, Step, split_each

step = Step(
    event_type="weather.report",
    source="2024-09-01",
    target="2025-01-01",
    operations=[
        split_each(
            "samples",
            into="weather.sample",
            version="2025-01-01",
            item="sample",
            id="sample_id",
            number="sample_index",
            total="sample_total",
            key=["station", "sample_index"],
        ),
    ],
    lossy="a sample does not hold the others of its report",
)

baseline = Baseline("weather.sample", "2025-01-01")
