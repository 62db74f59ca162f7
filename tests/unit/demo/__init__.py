"""The demo's own honesty."""
