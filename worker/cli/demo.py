"""`upcast demo`: everything on one screen."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    events: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many events to make up.")] = 20_000,
) -> None:
    """Watch a made-up history go through the real worker on a real Kafka broker, and be accounted for.

    The broker is started here and stopped at the end; KAFKA_BOOTSTRAP_SERVERS names another one. Exit codes: 0 every
    event is accounted for in the topics, 1 not so.

    **Example:** `upcast demo --events 20000`
    """
    import logging

    from upcast_demo.screen import Screen
    from upcast_demo.story import run_demo
    from worker.kafka.aiokafka_internals.versions import refuse_other_versions

    refuse_other_versions()  # before a broker is started for it
    # The client retries by itself, for example while a new topic has no leader yet; it need not be told of.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    if not run_demo(Screen(), events):
        raise typer.Exit(1)
