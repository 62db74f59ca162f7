"""What the author of a chain works with."""
