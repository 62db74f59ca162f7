"""The migration guide's section 10 from end to end, on real parts."""
