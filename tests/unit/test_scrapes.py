"""The metrics of several processes as one."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from worker.processes.answers import Scrapes

CHILD = """\
# TYPE upcaster_records_consumed_total counter
upcaster_records_consumed_total{{topic="t",partition="{partition}"}} {consumed}
# TYPE upcaster_consumer_lag_seconds gauge
upcaster_consumer_lag_seconds{{consumer_group="g",topic="t",partition="{partition}"}} {age}
"""


def shown(scrapes: Scrapes) -> list[str]:
    return [line for line in generate_latest(scrapes).decode().splitlines() if line.startswith("upcaster_")]


def test_the_gauges_of_a_child_that_does_not_answer_go_and_its_counts_stay() -> None:
    scrapes = Scrapes(2, CollectorRegistry())
    scrapes.begin()
    scrapes.note(0, 10, CHILD.format(partition=0, consumed=5, age=100))
    scrapes.note(1, 11, CHILD.format(partition=1, consumed=7, age=200))
    assert len(shown(scrapes)) == 4
    scrapes.begin()
    scrapes.note(1, 11, CHILD.format(partition=1, consumed=8, age=0))
    assert shown(scrapes) == [
        'upcaster_records_consumed_total{partition="0",topic="t"} 5.0',
        'upcaster_records_consumed_total{partition="1",topic="t"} 8.0',
        'upcaster_consumer_lag_seconds{consumer_group="g",partition="1",topic="t"} 0.0',
    ]
    scrapes.begin()
    scrapes.note(0, 12, CHILD.format(partition=0, consumed=1, age=3))
    assert 'upcaster_records_consumed_total{partition="0",topic="t"} 6.0' in shown(scrapes), "it was started anew"
