"""`upcast verify`: checks a receipt against the topics themselves.

It reads source and destination again, side by side; ``oracle`` asks the chain and its reference what must have become
of each record, ``destination`` reads what was written, and ``matching`` compares the two. Nothing here uses code of the
lanes: names and order of headers are written out a second time, so that an error in the lanes shows here.
"""
