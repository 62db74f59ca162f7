"""Counts a topic by type, version and shape, and finds old versions that nothing needs any more."""
