"""A chain in a consumer of your own: events of any age go in, current ones come out in the form of your client.

None of these modules imports a client: each works on what the client hands out. ``docs/consumers.md`` is the guide.
"""

from upcasters.consumers.aiokafka_records import AiokafkaRecords
from upcasters.consumers.confluent_messages import ConfluentMessages
from upcasters.consumers.confluent_values import NOTHING, ConfluentDeserializer
from upcasters.consumers.faststream_messages import FastStreamMiddleware
from upcasters.consumers.letters import DeadLetter
from upcasters.consumers.plain_values import PlainValues
from upcasters.consumers.quix_values import QuixRecords, QuixValues

__all__ = [
    "NOTHING",
    "AiokafkaRecords",
    "ConfluentDeserializer",
    "ConfluentMessages",
    "DeadLetter",
    "FastStreamMiddleware",
    "PlainValues",
    "QuixRecords",
    "QuixValues",
]
