"""What the author of a chain works with: the command `upcast`, and what its commands do with a chain and its files.

It reads and writes files and starts processes, which `upcasters` never does, and knows nothing of Kafka, HTTP or
databases. The worker adds commands of its own (entry points of the group `upcast.commands`).
"""
