"""Tests of `upcast archive`: files on disk, in this process."""
