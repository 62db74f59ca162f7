"""`upcast demo`: a made-up history goes through the real worker on a real broker, and is accounted for.

`history` makes the events, `kafka` writes and reads them, `worker_process` runs `upcast run`, `account` compares
what was written with what is in the topics, `screen` shows it; `story` joins them. `local_kafka` is the broker.
"""
