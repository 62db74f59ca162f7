"""What a census counts."""
