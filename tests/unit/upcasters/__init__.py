"""The pure engine."""
