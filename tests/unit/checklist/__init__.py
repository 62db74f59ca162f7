"""The checklist: what its lines say, without anything that runs."""
