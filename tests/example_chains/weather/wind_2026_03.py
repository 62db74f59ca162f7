"""Which of how many samples it is, as a pair."""

from upcasters import Step, fields_to_list

step = Step(
    event_type="weather.wind",
    source="2025-09-01",
    target="2026-03-01",
    operations=[
        fields_to_list(["sample_index", "sample_total"], "sample_place"),
    ],
)
