"""`upcast verify`: proves a receipt against the topics themselves.

Source and destination are read again, side by side; what must have become of each record is found out by the chain's
plain reference. Nothing here comes from the lanes: names of headers and their order are written out anew, so that an
error there is seen here. ``oracle`` says what must be, ``streams`` what is, ``matching`` compares them.
"""
