"""Faults: the real worker on real brokers, while processes, brokers and networks break.

``events`` makes numbered events and knows what must become of each; ``feeder`` writes them; ``fleet`` runs
workers, ``cluster`` brokers behind ``proxy``; ``kinds`` are the faults. ``watcher`` looks at the output while it
grows, ``checker`` proves the invariants in the end; neither knows the worker's code nor the chain. ``chaos`` joins
them (`make chaos`), ``mutants`` are broken workers that the checker has to catch, ``soak`` is `make soak`.
"""
