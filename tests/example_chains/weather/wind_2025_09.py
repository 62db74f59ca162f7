"""Direction and speed as one text, for displays; the flags as JSON text, as in the beginning."""

from upcasters import Step, join_values, print_json, unnest

step = Step(
    event_type="weather.wind",
    source="2025-06-01",
    target="2025-09-01",
    operations=[
        unnest("wind", ["direction", "speed"]),
        join_values(["direction", "speed"], " ", "wind_text"),
        print_json("flags"),
    ],
)
