"""`upcast broker` and `upcast kafka`: Kafka on a laptop, and its own tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.errors import MAY_PASS, WorkerError

KAFKA_PORT = 9092


def broker(
    create: Annotated[
        list[str] | None,
        typer.Option(metavar="TOPIC[:PARTITIONS]", help="Create this topic; may be repeated."),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Where clients find it, on this machine only.")
    ] = KAFKA_PORT,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep topics and groups here for the next time.", file_okay=False),
    ] = None,
) -> None:
    """Run a real Kafka broker on this machine until Ctrl-C: for trying a chain, not for production.

    Topics keep old events (`retention.ms=-1`). Needs the extra `demo`, and no Docker or Java of yours. Exit codes: 130
    ended by Ctrl-C, 1 it could not start, 2 wrong use.

    **Example:** `upcast broker --create orders.legacy:3 --create orders:3`
    """
    from upcast_demo.laptop import serve

    serve(port, dict(map(_topic, create or ())), data, typer.echo)


def kafka(
    context: typer.Context,
    tool: Annotated[str, typer.Argument(metavar="TOOL", help="`topics` for kafka-topics.sh, and so on.")],
) -> None:
    """Run one of Kafka's own tools; what follows its name is the tool's own (`upcast kafka topics --help`).

    Tools: acls, broker-api-versions, configs, console-consumer, console-producer, consumer-groups, delete-records,
    features, get-offsets, leader-election, log-dirs, reassign-partitions, topics, transactions. Needs the extra `demo`.
    Exit codes: the tool's own, 1 it could not be fetched, 2 there is no such tool.

    **Example:** `upcast kafka topics --bootstrap-server localhost:9092 --list`
    """
    from upcast_demo.local_kafka import LocalKafkaError
    from upcast_demo.local_kafka.tools import TOOLS, run_tool

    if tool in ("-h", "--help"):
        typer.echo(context.get_help())
        return
    name = tool.removeprefix("kafka-").removesuffix(".sh")
    if name not in TOOLS:
        raise WorkerError(f"kafka: there is no tool {tool!r}: it is one of {', '.join(TOOLS)}", code="UPC1003")
    try:
        code = run_tool(name, context.args)
    except LocalKafkaError as error:
        raise WorkerError(f"kafka: {error}", MAY_PASS, code="UPC1010") from error
    raise typer.Exit(code)


def _topic(given: str) -> tuple[str, int]:
    """`orders:3` is a topic of three partitions; without a number it has one."""
    name, _, number = given.partition(":")
    if not name or (number and not (number.isdecimal() and int(number) > 0)):
        raise WorkerError(f"broker: --create {given}: say TOPIC or TOPIC:PARTITIONS, as in `orders:3`", code="UPC1001")
    return name, int(number or 1)
