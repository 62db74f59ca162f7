"""Tests on Spark: only `make archive-check` runs them."""
