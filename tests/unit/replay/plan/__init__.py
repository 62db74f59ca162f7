"""What a plan says, and what it is made of."""
