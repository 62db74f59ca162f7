"""Dead letters in their topic: list them, show one, and redrive them, which upcasts their records with the current
chain.

``letters`` decodes one, ``selection`` decides which a redrive takes and which earlier redrives took. A redrive is a
bounded pass over the dead-letter topic: plan, lanes, ledger, receipt and verification are those of a replay.
"""
