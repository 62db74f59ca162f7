"""How deep no reader goes: Python 3.11 counts to a thousand; 3.14 goes on to the end of its stack, some 100,000."""

TOO_DEEP = 1_000_000
