"""The brokers that people run: every supported version of Kafka, each jar pinned by its hash, and ``make brokers``.

``releases`` says what each version wants at its start, ``zookeeper`` is what the oldest wants beside it; ``matrix``
runs a short form of the fault suite on each and makes the table of docs/reliability.md.
"""
