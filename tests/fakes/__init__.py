"""Stand-ins for what is behind the lanes' ports. tests/contract holds each of them to what the real thing does."""
