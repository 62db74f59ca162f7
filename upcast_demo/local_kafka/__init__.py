"""A real Apache Kafka broker on this machine, from packages alone: for the demo, the tests and laptops."""

from upcast_demo.local_kafka.broker import LocalKafka
from upcast_demo.local_kafka.release import LocalKafkaError

__all__ = ["LocalKafka", "LocalKafkaError"]
