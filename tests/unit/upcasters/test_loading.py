"""Chains by name, and packages of steps: what is found, and what is said where nothing is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from upcasters import Chain, ChainError, chain_from_package, load_chain
from upcasters.devteam_runner import chain as devteam_runner

BASELINE = "from upcasters import Baseline, anything\nbaseline = Baseline('t', 1, shape=anything())\n"
STEP = "from upcasters import Step, add\nstep = Step('t', 1, 2, [add('a', 1)])\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder from which modules can be imported; they are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def package(folder: Path, name: str, **modules: str) -> None:
    (folder / name).mkdir()
    for module, text in {"__init__": "", **modules}.items():
        (folder / name / f"{module}.py").write_text(text)


def refusal(name: str) -> str:
    with pytest.raises(ChainError) as caught:
        load_chain(name)
    assert caught.value.problems[0].code == "import"
    return str(caught.value)


def test_a_module_and_an_attribute() -> None:
    assert load_chain("upcasters.devteam_runner:chain") is devteam_runner


def test_an_attribute_of_an_attribute(folder: Path) -> None:
    text = "from upcasters.devteam_runner import chain\nclass Holder:\n    held = chain\n"
    (folder / "holding.py").write_text(text)
    assert load_chain("holding:Holder.held") is devteam_runner


def test_a_mistake_in_an_operation_names_its_line(folder: Path) -> None:
    package(folder, "lines", first="from upcasters import rename\n\nrename('a..b', 'c')\n")
    (folder / "lines" / "__init__.py").write_text(
        "from upcasters import chain_from_package\nchain_from_package(__name__)"
    )
    with pytest.raises(ChainError) as caught:
        load_chain("lines:chain")
    assert str(caught.value).startswith("lines/first.py:3: ")


def test_a_mistake_in_a_chain_names_the_line_of_the_chain(folder: Path) -> None:
    (folder / "gapped.py").write_text("from upcasters import Chain\nchain = Chain([])\n")
    with pytest.raises(ChainError, match=r"^[^/]+/gapped\.py:2: the chain has no steps"):
        load_chain("gapped:chain")


def test_what_is_not_there(folder: Path) -> None:
    (folder / "empty.py").write_text("number = 1")
    (folder / "broken.py").write_text("1 / 0")
    (folder / "needy.py").write_text("import surely_not_installed")
    assert "chain nowhere:chain cannot be imported: No module named 'nowhere'" in refusal("nowhere:chain")
    assert refusal("needy:chain").endswith(
        "/needy.py:1: chain needy:chain cannot be imported: No module named 'surely_not_installed'. "
        "Install what it imports beside the chain, or mend the name."
    )
    assert "module empty has no 'chain'" in refusal("empty:chain")
    assert "empty:number is a int, not a Chain" in refusal("empty:number")
    assert "ZeroDivisionError: division by zero. Mend the line." in refusal("broken:chain")


def test_a_wrong_chain_is_reported_as_what_it_is(folder: Path) -> None:
    (folder / "wrong.py").write_text("from upcasters import Chain\nchain = Chain([])")
    with pytest.raises(ChainError, match="has no steps and no baselines"):
        load_chain("wrong:chain")


def install(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> None:
    def entry_points(*, group: str) -> EntryPoints:
        return EntryPoints(point for point in points if point.group == group)

    monkeypatch.setattr("upcasters.loading.entry_points", entry_points)


def test_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        monkeypatch,
        EntryPoint("runner", "upcasters.devteam_runner:chain", "upcast.chains"),
        EntryPoint("lost", "nowhere:chain", "upcast.chains"),
        EntryPoint("bare", "upcasters.devteam_runner", "upcast.chains"),
        EntryPoint("walker", "upcasters.devteam_runner:chain", "another.group"),
    )
    assert load_chain("runner") is devteam_runner
    assert "chain lost cannot be imported" in refusal("lost")
    assert "module upcasters.devteam_runner has no ''" in refusal("bare")
    said = refusal("walker")
    assert (
        "there is no chain 'walker'. Write module:attribute, or one of the installed chains (bare, lost, runn" in said
    )


def test_no_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    assert "none is installed" in refusal("walker")


def test_a_package_of_steps(folder: Path) -> None:
    two = "from upcasters import Step, add\nsteps = [Step('t', 2, 3, [add('b', 1)]), Step('t', 3, 4, [add('c', 1)])]\n"
    package(
        folder,
        "history",
        a_base='"""Where it starts."""\n' + BASELINE,
        b_step='"""One more field.\n\nAnd why.\n"""\n' + STEP,
        c_steps=two,
        helper="step = 'not one'\nsteps = 7\nbaselines = None\n",
        told="from upcasters import Baseline\nbaselines = [Baseline('u', 1, description='told')]\n",
    )
    chain = chain_from_package("history", current={"t": 3})
    assert [(step.id, step.file, step.description) for step in chain.steps] == [
        ("b_step", "history/b_step.py", "One more field.\n\nAnd why."),
        ("c_steps:t:2->3", "history/c_steps.py", ""),
        ("c_steps:t:3->4", "history/c_steps.py", ""),
    ]
    assert [(base.id, base.file, base.description) for base in chain.baselines] == [
        ("a_base", "history/a_base.py", "Where it starts."),
        ("told", "history/told.py", "told"),
    ]
    assert (chain.name, chain.current("t")) == ("history", "3")
    assert isinstance(chain, Chain)


def test_a_problem_names_the_file(folder: Path) -> None:
    package(folder, "lossy", a=BASELINE, b=STEP.replace("add('a', 1)", "drop('a')").replace("add", "drop"))
    with pytest.raises(ChainError, match=r"lossy/b\.py, step b: the step loses something"):
        chain_from_package("lossy")


@pytest.mark.parametrize("name", ["chains.py", "chains.py:chain", "./chains.py:chain", "src/chains"])
def test_a_file_is_no_module(name: str) -> None:
    assert refusal(name) == f"{name!r} names a file. Write module:attribute, in the file's folder chains:chain."


def test_a_wrong_name_in_an_import_is_not_a_package_to_install(folder: Path) -> None:
    (folder / "slip.py").write_text("from upcasters import renam\n")
    assert refusal("slip:chain").endswith("cannot import name 'renam' from 'upcasters'. Did you mean rename?")


def test_a_wrong_name_of_a_module_beside_it_is_not_called_a_circle(folder: Path) -> None:
    package(folder, "slipped", first=BASELINE, second="from slipped import frist\n")
    (folder / "slipped" / "__init__.py").write_text(CHAIN)
    assert refusal("slipped:chain").endswith("cannot import name 'frist' from 'slipped'. Did you mean first?")


CHAIN = "from upcasters import chain_from_package\nchain = chain_from_package(__name__)\n"


def overlooked(name: str) -> list[str]:
    with pytest.raises(ChainError) as caught:
        load_chain(f"{name}:chain")
    assert {problem.code for problem in caught.value.problems} == {"overlooked"}
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    "held",
    [
        "stp = Step('t', 2, 3, [add('b', 1)])",
        "steps = Step('t', 2, 3, [add('b', 1)])",
        "step = [Step('t', 2, 3, [add('b', 1)])]",
        "ALL = (1, Step('t', 2, 3, [add('b', 1)]))",
        "steps = {3: Step('t', 2, 3, [add('b', 1)])}",
    ],
)
def test_a_step_under_a_name_that_is_not_read(folder: Path, held: str) -> None:
    text = f"from upcasters import Step, add\n{held}\n"
    package(folder, "misnamed", __init__=CHAIN, t_1=BASELINE, t_2=STEP, third=text)
    name = held.partition(" ")[0]
    assert overlooked("misnamed") == [
        (
            f"misnamed/third.py: {name} holds a Step that the chain does not take. Write step = Step(…), or steps = "
            f"[Step(…), …]; what is meant for nobody is called _{name}."
        )
    ]


def test_a_baseline_under_a_name_that_is_not_read(folder: Path) -> None:
    text = "from upcasters import Baseline\nbase = Baseline('u', 1)\n"
    package(folder, "based", __init__=CHAIN, t_1=BASELINE, t_2=STEP, u=text)
    (line,) = overlooked("based")
    assert line.startswith(
        "based/u.py: base holds a Baseline that the chain does not take. Write baseline = Baseline(…)"
    )


def test_a_step_beside_the_chain(folder: Path) -> None:
    text = "from upcasters import Step, add\nstep = Step('t', 2, 3, [add('b', 1)])\n"
    package(folder, "beside", __init__=text + CHAIN, t_1=BASELINE, t_2=STEP)
    (line,) = overlooked("beside")
    assert line.startswith(
        "beside/__init__.py: step holds a Step that the chain does not take. Put it into a module of"
    )


@pytest.mark.parametrize("name", ["t_3", "t_3_1", "t_10"])
def test_a_file_named_like_a_step_that_exports_none(folder: Path, name: str) -> None:
    text = "from upcasters import Step, add\nStep('t', 2, 3, [add('b', 1)])\n"
    package(folder, "empty_step", __init__=CHAIN, t_1=BASELINE, t_2=STEP, **{name: text})
    assert overlooked("empty_step") == [
        (
            f"empty_step/{name}.py: the file is named like one with a step, and exports none. Call its Step step, "
            "or its Baseline baseline; give a file of helpers another name."
        )
    ]


def test_named_as_the_other_steps_of_its_package_are(folder: Path) -> None:
    package(folder, "siblings", __init__=CHAIN, v1=BASELINE, to2_names=STEP, to3_names="")
    (line,) = overlooked("siblings")
    assert line.startswith("siblings/to3_names.py: the file is named like one with a step, and exports none.")


def test_named_by_a_type_with_a_dot(folder: Path) -> None:
    text = "from upcasters import Baseline, anything\nbaseline = Baseline('order.placed', 1, shape=anything())\n"
    package(folder, "dotted", __init__=CHAIN, first=text, order_placed_2="")
    assert overlooked("dotted")[0].startswith("dotted/order_placed_2.py: the file is named like one with a step")


def test_files_out_of_reach(folder: Path) -> None:
    package(folder, "scattered", __init__=CHAIN, t_1=BASELINE, t_2=STEP)
    (folder / "scattered" / "t_3.0.py").write_text(STEP)
    package(folder / "scattered", "more", t_4=STEP, test_t_4="")
    assert overlooked("scattered") == [
        "scattered/t_3.0.py: a file with a dot in its name is no module. Call it t_3_0.py.",
        (
            "more/t_4.py: the file is named like one with a step, and stands in a folder that the chain does not read. "
            "Move it up into the chain's package."
        ),
    ]


def test_helpers_and_tables_beside_steps(folder: Path) -> None:
    helpers = (
        "from upcasters import Step, add\n\n"
        "def step(source, target):\n    return Step('t', source, target, [add('c', 1)])\n\n"
        "_kept_for_later = Step('t', 7, 8, [add('d', 1)])\n"
    )
    third = "from helped.t_2 import step as before\nfrom helped import helpers\nstep = helpers.step(before.target, 3)\n"
    tables = {"tables": "COUNTRIES = {'de': 'DE'}\n", "utf8": "", "t_2_tables": "STATES = ['a']\n", "empty": ""}
    package(folder, "helped", __init__=CHAIN, t_1=BASELINE, t_2=STEP, t_3=third, helpers=helpers, **tables)
    package(folder / "helped", "golden")
    assert load_chain("helped:chain").types == {"t": ("1", "2", "3")}
