"""What is there: a topic counted by type, version and shape, and who still sends what may go."""
