"""Every wrong chain is refused with what is wrong with it, and every right one passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.upcasters.wrong_chains.case import Case, problems_of
from tests.unit.upcasters.wrong_chains.models import MODELS, QUIET
from tests.unit.upcasters.wrong_chains.narrow import FINE, NARROW, SHAPES
from tests.unit.upcasters.wrong_chains.policies import POLICIES
from tests.unit.upcasters.wrong_chains.structure import STRUCTURE
from tests.unit.upcasters.wrong_chains.written import WRITTEN

ALL = {
    f"{table}: {name}": case
    for table, cases in (
        ("structure", STRUCTURE),
        ("written", WRITTEN),
        ("models", MODELS),
        ("narrow", NARROW),
        ("shapes", SHAPES),
        ("policies", POLICIES),
    )
    for name, case in cases.items()
}


@pytest.mark.parametrize("case", ALL.values(), ids=ALL.keys())
def test_refused(case: Case) -> None:
    problems = problems_of(case.wrong)
    assert sorted(problem.code for problem in problems) == sorted(case.codes), "\n".join(map(str, problems))
    assert all(problem.message and problem.remedy.endswith(".") for problem in problems)


@pytest.mark.parametrize("case", ALL.values(), ids=ALL.keys())
def test_passes(case: Case) -> None:
    problems = problems_of(case.right)
    assert not problems, "\n".join(map(str, problems))


@pytest.mark.parametrize("build", [*QUIET.values(), *FINE.values()], ids=[*QUIET, *FINE])
def test_no_false_alarm(build: Callable[[], object]) -> None:
    problems = problems_of(build)
    assert not problems, "\n".join(map(str, problems))
