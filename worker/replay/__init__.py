"""Bounded passes over old offsets: ``census`` counts what a topic holds, ``plan`` finds out what a replay would do, and
``apply`` does exactly that.

``ranges`` turns bounds into offsets, ``reading`` reads them, ``topics`` asks the cluster, ``digest`` makes digests of
records, ``sealed_file`` writes and reads plans and receipts.
"""
