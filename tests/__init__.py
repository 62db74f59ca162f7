"""Shows that it works; the folders are: unit (no broker), integration (a real one)."""
