"""Bounded passes over old offsets: what is there (census), what would happen (plan), and doing exactly that (apply).

``ranges`` freezes what is to be read, ``reading`` reads it, ``topics`` asks the cluster, ``digest`` sums records up,
``sealed_file`` writes and reads plans and receipts.
"""
