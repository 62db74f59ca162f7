"""A second change for 2021-01-01, made by another team: the region, from network and station."""

from upcasters import Step, derive


def region(network: str, station: str) -> str:
    return f"{network}/{station[:2].lower()}"


step = Step(
    event_type="weather.report",
    source="2020-06-01",
    target="2021-01-01",
    operations=[
        derive("region", ["network", "stationId"], region),
    ],
    after="report_2021_01_network",
)
