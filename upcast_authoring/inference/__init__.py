"""What a step has to do, worked out from events before and after it."""
