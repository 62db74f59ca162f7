"""Everything that touches the world: Kafka, HTTP, the clock, the terminal and the disk."""
