"""What the author of a chain works with: files of a new step, an event tried hop by hop, checks and laws."""
