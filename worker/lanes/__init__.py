"""Lanes: each assigned partition worked on by itself, exactly once.

The way of a record: ``fetching`` -> ``fetch_buffer`` of its lane -> ``processing`` (the hot loop) ->
``outbox`` -> ``transaction`` -> ``delivery``. ``lane`` is the life around it, ``state`` the states it may be
in, ``faults`` what an error means, ``assignment`` how partitions come and go, ``watch`` what is shown of it all.
"""
