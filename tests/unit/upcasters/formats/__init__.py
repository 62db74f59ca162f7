"""Tests of the formats: what a schema is, and what each format makes of bytes."""
