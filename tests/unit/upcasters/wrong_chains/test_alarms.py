"""Every alarm is true: some event fits the source's model, and the steps cannot take it to the target's."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import pytest
from hypothesis import Phase, find, settings
from hypothesis.errors import NoSuchExample

from tests.unit.upcasters.applying import context
from tests.unit.upcasters.wrong_chains.case import Case
from tests.unit.upcasters.wrong_chains.models import MODELS
from tests.unit.upcasters.wrong_chains.narrow import NARROW
from upcasters import Chain, EventError
from upcasters.document import encode, read, write
from upcasters.step import Hop
from upcasters.testing.documents import documents_of
from upcasters.testing.hints import hints_of
from upcasters.validation import Validator

# What a model does not declare may be there all the same: no event breaks on it.
HARMLESS = {"unaccounted"}
# The same events each time: one that is rare must not be missed by chance.
QUICK = settings(max_examples=400, database=None, derandomize=True, phases=[Phase.generate])
LOUD = {name: case for name, case in (MODELS | NARROW).items() if set(case.codes) - HARMLESS}


def fails(chain: Chain, hop: Hop, document: Any) -> bool:
    """True where a document fits the source's model, and an operation or the target's model refuses it."""
    data = document if isinstance(document, bytes) else encode(document)
    try:
        Validator(chain.versions[hop.source].model or pytest.fail("no model")).check(data)
    except EventError:
        return False
    around = context(key=b"key", headers=[("h", b"text")], timestamp=1)
    around.bring = lambda _type, _version, _inner, _to: "1"
    root = read(data)
    try:
        for operation in hop.operations:
            operation.apply(root, around)
        for node, made in ends(hop, root, around):
            model = chain.versions[node].model
            if model is not None:
                Validator(model).check(write(made))
    except EventError:
        return True
    return False


def ends(hop: Hop, root: Any, around: Any) -> list[tuple[tuple[str, str], Any]]:
    """The versions and documents that came out."""
    if around.children is None:
        return [(hop.target, root)]
    return [((child.event_type, child.version or hop.target[1]), child.root) for child in around.children]


@pytest.mark.parametrize("case", LOUD.values(), ids=LOUD.keys())
def test_an_event_proves_it(case: Case) -> None:
    chain = case.wrong()
    assert isinstance(chain, Chain)
    for hop in chain.hops.values():
        model = chain.versions[hop.source].model
        if model is None:
            continue
        proves = partial(fails, chain, hop)
        with contextlib.suppress(NoSuchExample):
            find(documents_of(model, hints_of(chain)), proves, settings=QUICK)
            return
    pytest.fail("no such event")
