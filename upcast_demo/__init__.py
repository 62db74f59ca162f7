"""`upcast demo`: runs the real worker on a real broker over a generated history, and accounts for every event.

`history` makes the events, `kafka` writes and reads them, `worker_process` runs `upcast run`, `account` compares
what was written with what is in the topics, `screen` shows it; `story` joins them. `local_kafka` is the broker.
"""
