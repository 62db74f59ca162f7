"""Quix Streams: an application, a topic in, a function applied, a topic out.

https://quix.io/docs/quix-streams/quickstart.html, with ``processing_guarantee`` as its page on exactly-once has it.
Values stay bytes on both sides, so that the transform reads and writes JSON once.
"""

import logging

from arguments import Arguments, arguments
from quixstreams import Application
from task_context import upcast


def main(given: Arguments) -> None:
    logging.disable(logging.INFO)
    app = Application(
        broker_address=given.bootstrap,
        consumer_group=given.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once" if given.exactly_once else "at-least-once",
        producer_extra_config={"compression.type": given.compression or "none"},
        use_changelog_topics=False,
        auto_create_topics=False,
    )
    source = app.topic(given.source, value_deserializer="bytes", key_deserializer="bytes")
    destination = app.topic(given.destination, value_serializer="bytes", key_serializer="bytes")
    app.dataframe(source).apply(upcast).to_topic(destination)
    app.run()


if __name__ == "__main__":
    main(arguments())
