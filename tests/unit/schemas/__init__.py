"""Schemas, frames and the registry, without a network where that says enough."""
