"""snake_case throughout."""

from upcasters import SNAKE_CASE, Step, rename_keys

step = Step(
    event_type="weather.report",
    source="2024-01-01",
    target="2024-06-01",
    operations=[
        rename_keys("", SNAKE_CASE, subtree=True),
    ],
)
