"""Lanes: each processes one assigned partition, exactly once.

A record goes through ``fetching``, the ``fetch_buffer`` of its lane, ``processing`` (the hot loop), ``outbox``,
``transaction`` and ``delivery``. ``lane`` runs all of that, ``state`` has its states, ``faults`` says what an error
means, ``assignment`` starts and drains lanes as partitions come and go, ``watch`` measures lag.
"""
