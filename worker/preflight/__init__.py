"""Checks before the first record is read: asks the brokers, and refuses what cannot work, with the fix."""
