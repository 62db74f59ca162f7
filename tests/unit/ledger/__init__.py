"""The ledger by itself; what all of its forms share is in tests/contract."""
