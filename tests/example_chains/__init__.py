"""Chains from other fields than the shipped one, for tests."""
