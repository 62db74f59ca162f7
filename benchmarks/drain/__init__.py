"""The drain: a backlog in a real broker, worked off by the worker and its peers, in CPU time per event.

``events`` makes the backlog, ``backlog`` writes it, ``contenders`` says who takes part, ``process`` runs one of them
and measures it, ``verify`` reads what came out, ``cases`` says what is measured, ``report`` and ``picture`` show it.
"""
