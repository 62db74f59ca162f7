"""Bytewax: a Kafka source, a map, a Kafka sink. It ends at the end of the topic and commits nothing to the group.

https://docs.bytewax.io/stable/api/bytewax/bytewax.connectors.kafka.html; its recovery, which needs a store on disk, is
off, so a crash would begin again at the beginning.
"""

from arguments import Arguments, arguments
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import cluster_main
from task_context import upcast


def flow(given: Arguments) -> Dataflow:
    made = Dataflow("upcast")
    source = KafkaSource([given.bootstrap], [given.source], tail=False, batch_size=1000)
    settings = {"compression.type": given.compression or "none", "linger.ms": "20"}
    sink = KafkaSink([given.bootstrap], given.destination, add_config=settings)
    messages = op.input("in", made, source)
    changed = op.map(
        "upcast",
        messages,
        lambda message: KafkaSinkMessage(key=message.key, value=upcast(message.value), headers=message.headers),
    )
    op.output("out", changed, sink)
    return made


if __name__ == "__main__":
    cluster_main(flow(arguments()), [], 0)
