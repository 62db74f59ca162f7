"""What is refused before the first record, judged from facts alone."""
