"""The rule by which a version may go, and whether a chain keeps it."""
