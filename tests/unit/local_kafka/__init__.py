"""The broker on this machine, before it runs."""
