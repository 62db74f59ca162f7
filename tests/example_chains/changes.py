"""Changes of rows as a connector wrote them; what was deleted becomes a null value with its key, for compaction."""

from __future__ import annotations

from upcasters import Baseline, Chain, Step, equals, present, rename, tombstone, when

chain = Chain(
    [
        Step(
            "change",
            "1",
            "2",
            [when(equals("op", "d"), tombstone()), rename("after", "row")],
            shape=present("row"),
            lossy="of a deleted row the key is left",
        )
    ],
    [Baseline("change", "1", shape=present("op", "after"))],
)
