"""Creates the topics of deploy/upcast.yaml, where they are not there yet; kept for ever, because old events are old."""

import asyncio
import os
import sys

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

TOPICS = ("devteam.task-context.legacy", "devteam.task-context", "devteam.task-context.legacy-dlt")
PARTITIONS = 6
ALREADY_THERE = 36


def new_topic(name: str) -> NewTopic:
    configs = {"retention.ms": "-1"}
    if name.endswith("-dlt"):  # a dead letter is its record and a few headers
        configs["max.message.bytes"] = str(1_048_588 + 32 * 1024)
    return NewTopic(name, PARTITIONS, 1, topic_configs=configs)


async def main() -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=os.environ["KAFKA"])
    await admin.start()
    try:
        answer = await admin.create_topics([new_topic(name) for name in TOPICS])
    finally:
        await admin.close()
    for topic, code, *_ in answer.topic_errors:
        print(f"{topic}: {'there already' if code == ALREADY_THERE else f'error {code}' if code else 'created'}")
    sys.exit(any(code not in {0, ALREADY_THERE} for _, code, *_ in answer.topic_errors))


asyncio.run(main())
