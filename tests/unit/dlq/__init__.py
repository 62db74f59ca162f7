"""Tests of dead letters after they were written."""
