"""Schemas of values and the registry that keeps them: frames around values, what a schema says of a version, and the
schema by which results are written.

The hot loop waits for nothing here: ids are learnt for a whole slice of records before it is worked on.
"""
