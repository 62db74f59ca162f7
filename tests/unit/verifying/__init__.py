"""Proving a receipt."""
