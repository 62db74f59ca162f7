"""Orders whose amounts were once written with a comma: a step that does not know it, and the same step mended."""

from __future__ import annotations

from upcasters import ORIGIN, Baseline, Chain, Step, absent, derive, present


def strict(amount: str) -> float:
    return float(amount)


def lenient(amount: str) -> float:
    """Still none that is no number at all."""
    return float(amount.replace(",", "."))


def _chain(broken: bool) -> Chain:
    operations = [derive("total", ["amount"], strict if broken else lenient), derive("id", [ORIGIN], str)]
    return Chain(
        [Step("order", "1", "2", operations, shape=present("total"))],
        [Baseline("order", "1", shape=present("amount") & absent("total"))],
    )


broken = _chain(broken=True)
mended = _chain(broken=False)
