"""Oldest first."""
