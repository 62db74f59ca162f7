"""Questions to the brokers before the first record is read: what cannot work is refused, with the fix."""
