"""Each kind of sample is a type of its own."""

from upcasters import Step, at, rename, rename_type

step = Step(
    event_type="weather.sample",
    source="2025-01-01",
    target="2025-06-01",
    operations=[
        at("sample", rename("value", "reading")),
        rename_type(field="sample.kind", types={"temperature": "weather.temperature", "wind": "weather.wind"}),
    ],
    lossy="a type of its own for each kind; nobody reads the mixed samples any more",
)
