"""Tests for chains of one's own: golden pairs, and laws tried on made up events. Needs the extra ``testing``.

``for law in laws(chain): law.check()``; or ``upcast check --laws``; or ``pytest --upcast-chain module:attribute``.
"""

from __future__ import annotations

from pathlib import Path

from upcasters.chain import Chain
from upcasters.testing.golden import golden_folder
from upcasters.testing.law import Law, LawBroken, LawNotTried

__all__ = ["Law", "LawBroken", "LawNotTried", "golden_folder", "laws"]


def laws(chain: Chain, *, golden: Path | None = None, examples: int = 50) -> list[Law]:
    """Every law that ``chain`` has to keep, ready to be tried; nothing is run yet.

    ``golden`` is the folder of golden pairs (``golden_folder`` finds it). ``examples`` is how many events are made
    up for each law and version; the same ones every time. Raises ImportError where hypothesis is not installed.
    """
    from upcasters.testing.trials import laws_of

    return list(laws_of(chain, golden, examples))
