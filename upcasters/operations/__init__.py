"""The vocabulary of a step: what can be done to a document and to the event around it."""
