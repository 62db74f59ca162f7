"""Bounded passes: what can be said of them without a broker."""
