"""The interval depends on the kind of report, the licence on the network."""

from upcasters import Step, add, equals, switch, when

step = Step(
    event_type="weather.report",
    source="2022-01-01",
    target="2022-06-01",
    operations=[
        switch("kind", {"hourly": add("interval", 3600), "daily": add("interval", 86400)}),
        when(equals("network", "public"), add("licence", "CC-BY-4.0")),
    ],
)
