"""Bounded passes over old offsets: what is there (census), what would happen (plan), and doing exactly that (replay).

``ranges`` freezes what is to be read, ``reading`` reads it, ``plan_file`` is what a plan says of it.
"""
