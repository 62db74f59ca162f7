"""All that speaks to brokers: clients as a correct worker needs them, what they fetch, and why they cannot connect."""
