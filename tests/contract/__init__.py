"""One suite for every form of a port."""
