"""Chains and steps that are wrong in one way each, beside right ones that differ in that alone."""
