"""What would happen: the worker's own processing over frozen ranges, thrown away and written down as a plan."""
