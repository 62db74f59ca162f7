"""Doing exactly what a plan says: from its last questions to the receipt, and the hand-over to the live worker."""
