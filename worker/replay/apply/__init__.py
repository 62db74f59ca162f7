"""Applies a plan: checks its preconditions, runs the lanes over its ranges, writes the receipt, and hands over to the
live worker."""
