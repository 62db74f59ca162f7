"""Dead letters after they were written: what is there (list), what is wrong with one (show), and through the current
chain again (redrive).

``letters`` reads one, ``selection`` says which a redrive takes and which earlier ones took already. A redrive is a
bounded pass over the dead-letter topic: plan, lanes, ledger, receipt and proof are those of ``worker.replay``.
"""
