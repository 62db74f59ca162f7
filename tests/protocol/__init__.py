"""The model of a lane's protocol, docs/protocol/lane.pml, and the variants that `make model` checks."""
