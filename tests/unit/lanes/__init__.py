"""Unit tests of the lanes: no broker, no clock."""
