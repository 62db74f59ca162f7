"""Layout programs: what becomes of each object is worked out from its keys and run natively, where the extension is."""
