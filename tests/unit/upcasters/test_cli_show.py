"""The commands about chains: new, show, try, matrix and check --laws."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from upcast_authoring.errors import CommandError
from upcasters.native.extension import EXTENSION
from worker.cli import app

EVENT = '{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}, "cost": 1.10}'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder to stand in, from which chains are imported, and wide tables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    # Bytecode is told from its source by size and second; a file that `new` changes at once can have both the same.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("orders", "devteam", "by_hand", "large"):
            del sys.modules[name]


def upcast(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(app, arguments, input=stdin)


def printed(*arguments: str, stdin: str | bytes = "") -> str:
    result = upcast(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str, stdin: str | bytes = "") -> str:
    error = upcast(*arguments, stdin=stdin).exception
    assert isinstance(error, CommandError)
    assert error.exit_code == 2
    assert "\n" not in str(error)
    return str(error)


@pytest.mark.parametrize("command", ["new", "show", "try", "matrix", "check"])
def test_help_has_an_example(command: str) -> None:
    assert "Example:" in printed(command, "--help")


# show


def test_show_draws_the_history_and_what_each_version_changes() -> None:
    text = printed("show")
    assert "├── 1.0 (baseline): The first schema: camelCase metadata" in text
    assert "└── 2.0 (current), then task_context.node 3.0: snake_case throughout" in text
    assert "task_context 1.1 -> 2.0 (task_context_2_0)" in text
    assert 'default metadata.branch = "main"' in text
    assert "the model of task_context.node 3.0" in text


def test_show_one_version_as_markdown() -> None:
    text = printed("show", "--type", "task_context", "--version", "2.0", "--markdown")
    assert "## task_context\n\n- 1.0 (baseline)" in text
    assert "### task_context 1.1 -> 2.0 (task_context_2_0)\n\n| change | reads | writes | way back |\n| --- |" in text
    assert "| respell the keys of nodes.\\* as snake_case" in text
    assert "| metadata.branch | string \\| null? | string |" in text
    assert "1.0 -> 1.1" not in text


LARGE = """from upcasters import Baseline, Chain, Step, default, drop

steps = [Step("order", n, n + 1, [default(f"f{n}", n)]) for n in range(150)]
notes = Step("note", 1, 2, [drop("x")], lossy="nobody reads it")
chain = Chain([*steps, notes], [Baseline("order", 0), Baseline("note", 1)])
"""


def test_show_begins_with_a_summary_and_that_is_all_of_a_large_chain(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text(LARGE, encoding="utf-8")
    text = printed("show", "--chain", "large:chain")
    assert text.startswith("2 types, 153 versions, 151 steps, 1 lossy step")
    assert re.search(r"order +│ 151 +│ 0 +│ 150 +│ 150 +│ 150 +│ 150 +│ +│", text)
    assert re.search(r"note +│ 2 .*│ note:1->2 ", text)
    assert (
        "too large to show as a whole: --type TYPE shows one type, --version VERSION shows one version, --all "
        "everything" in text
    )
    assert "default f3" not in text
    assert len(text.splitlines()) < 12


def test_show_one_type_or_version_of_a_large_chain(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text(LARGE, encoding="utf-8")
    chain = ("--chain", "large:chain")
    assert "note 1 -> 2 (note:1->2)" in printed("show", "--type", "note", *chain)
    large = printed("show", "--type", "order", *chain)
    assert "├── 149" in large
    assert "too large to show as a whole: --version VERSION shows one version, --all everything" in large
    assert "default f3" not in large
    one = printed("show", "--type", "order", "--version", "4", *chain)
    assert "default f3 = 3" in one
    assert "default f4" not in one
    assert "149" not in one
    assert "default f4 = 4" in printed("show", "--all", *chain)
    markdown = printed("show", "--markdown", *chain)
    assert markdown.startswith("### 2 types, 153 versions, 151 steps, 1 lossy step\n\n| type | versions |")


@pytest.mark.skipif(EXTENSION is None, reason="the native extension is not built")
def test_show_the_layout_programs() -> None:
    text = printed("show", "--code")
    assert "# layout programs, natively, for task_context 1.1, as in " in text
    assert '#   metadata: {"task_id":<taskId>,"project_id":<projectId>,"branch":<"main" if branch is null' in text
    assert '#   nodes: {"select":<select>,"prep":preparation(<select.status>)}' in text
    assert "for task_context 2.0" not in text
    assert "layout programs" not in printed("show", "--code", "--type", "task_context.node")


def test_code_is_shown_of_a_chain_whose_golden_pairs_are_wrong(tmp_path: Path) -> None:
    steps = "Step('t', '1', '2', [rename('a', 'b')])"
    rules = "Detection((Always('t'),), (Always('1'),))"
    (tmp_path / "mine.py").write_text(
        f"from upcasters import *\nchain = Chain([{steps}], [Baseline('t', '1')], detection={rules})\n"
    )
    assert "layout programs" not in printed("show", "--code", "--chain", "mine:chain")
    folder = tmp_path / "golden" / "nothing"
    folder.mkdir(parents=True)
    (folder / "x.before.json").write_text("{}")
    text = printed("show", "--code", "--chain", "mine:chain")
    assert "# t\ndef upcast" in text
    assert "layout programs" not in text


def test_show_the_generated_code() -> None:
    text = printed("show", "--code")
    assert "by default\ndef short_cut(record, source=None):\n    try:\n        value = record.value\n" in text
    assert "        return lane(record, source, value, root, version, header_0)\n" in text
    assert "# task_context\ndef upcast(record, source, value, root, version, header_0):  # 1.0 -> 1.1 -> 2.0" in text
    text = printed("show", "--code", "--version", "3.0", "--type", "task_context")
    assert "# 2.0 -> 3.0" in text
    assert printed("show", "--code", "--version", "1.0") == ""
    assert printed("show", "--code", "--type", "task_context.node") == ""


def test_show_names_what_there_is_instead() -> None:
    assert refused("show", "--type", "x") == "the chain has no type x; it has task_context, task_context.node"
    assert refused("show", "--version", "9") == "the chain has no version 9; it has 1.0, 1.1, 2.0, 3.0"
    assert refused("show", "--chain", "no_such:chain").startswith("chain no_such:chain cannot be imported")


# matrix


def test_the_matrix_has_the_rows_of_the_guides_appendix() -> None:
    rows = json.loads(printed("matrix", "--json"))
    found = {(row["source"], row["target"], row["path"], row["complexity"], row["notes"]) for row in rows}
    assert {
        ("1.0", "1.1", "Direct", "low", "Patch upgrade"),
        ("1.1", "2.0", "Guided", "medium", "Minor version, schema changes"),
        ("2.0", "3.0 (task_context.node)", "Complex", "high", "Major version, architectural changes"),
    } <= found
    assert {row["reversible"] for row in rows} == {"exact", "equivalent", "lossy"}


def test_the_matrix_as_tables() -> None:
    assert "| task_context | 1.0 | 2.0 | Guided | 2 | medium | equivalent |" in printed("matrix", "--markdown")
    lossy = "| task_context | 2.0 | 3.0 (task_context.node) | Complex | 1 | high | lossy: task_context_3_0 |"
    assert lossy in printed("matrix", "--markdown")
    assert "Complex" in printed("matrix")
    assert len(json.loads(printed("matrix", "--json"))) == 4
    assert len(json.loads(printed("matrix", "--json", "--all"))) == 6


# try


def test_try_shows_each_hop_and_the_outcome() -> None:
    lines = printed("try", stdin=EVENT).splitlines()
    assert lines[:3] == ["event 1", "1.0 -> 1.1 (task_context_1_1): no change", "1.1 -> 2.0 (task_context_2_0)"]
    assert '-    "taskId": "1",' in lines
    assert '+    "task_id": "1",' in lines
    assert lines[-1].startswith('upcast to 2.0: {"metadata":{"task_id":"1"')
    assert '"cost":1.10' in lines[-1]


def test_try_takes_an_event_a_line_or_one_over_several_lines() -> None:
    assert "event 2" in printed("try", stdin=f"{EVENT}\n\n{EVENT}\n")
    assert "event 2" not in printed("try", stdin=json.dumps(json.loads(EVENT), indent=2))


def test_try_tells_what_would_be_a_dead_letter() -> None:
    result = upcast("try", stdin='{"metadata": {"taskId": "1"}, "nodes": {}}')
    assert result.exit_code == 1
    told = "dead letter of stage upcast, step task_context_2_0, at metadata.project_id: MissingField: "
    assert told in result.stdout
    assert upcast("try", stdin="{").exit_code == 1
    assert "stage decode" in upcast("try", stdin=b"\xff").stdout
    assert refused("try", stdin=" \n") == "there is no event on stdin; give one JSON document a line"


def test_try_names_the_type_of_what_passes() -> None:
    """A type that is misspelt in one place of a chain has no steps: all of its events pass."""
    current = {"metadata": {"task_id": "1", "project_id": "p", "branch": "b", "repo_path": "r"}, "nodes": {"prep": {}}}
    passed = printed("try", stdin=json.dumps(current)).splitlines()[-1]
    assert passed == "passed as it is (current) as task_context 2.0"


def test_try_with_headers_key_and_target() -> None:
    split = printed(
        "try", "--to", "3.0", "--key", "k", stdin='{"metadata": {"taskId": "1", "projectId": "p"}, "nodes": {}}'
    )
    assert '"event_id":"stdin/0/0/0"' in split
    assert split.rstrip().endswith("key 1/prep")
    assert "no way" not in printed("try", "--to", "1.1", "-H", "schema-version=1.0", stdin=EVENT)
    assert "FutureVersion" in upcast("try", "--headers", "schema-version=9.0", stdin=EVENT).stdout
    assert refused("try", "-H", "x", stdin=EVENT) == "--header x is not NAME=VALUE"
    assert refused("try", "--to", "9", stdin=EVENT) == "the chain has no version 9"


def test_try_for_machines() -> None:
    result = upcast("try", "--json", "--key", "k", "-H", "a=b", stdin=f"{EVENT}\n[]\n" + '{"metadata":{}}')
    assert result.exit_code == 1
    assert '"cost": 1.10' in result.stdout
    upcasted, dead, missing = json.loads(result.stdout)
    assert upcasted["outcome"] == "upcast"
    assert (upcasted["from_version"], upcasted["to_version"], upcasted["hops"]) == ("1.0", "2.0", 2)
    assert [hop["step"] for hop in upcasted["trace"]] == ["task_context_1_1", "task_context_2_0"]
    assert upcasted["records"][0]["key"] == "k"
    assert upcasted["records"][0]["headers"] == [{"name": "a", "value": "b"}]
    assert (dead["outcome"], dead["fault"]["stage"]) == ("dead-lettered", "decode")
    assert missing["fault"]["path"] == "metadata.task_id"


def test_try_events_that_pass_or_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "by_hand.py").write_text(
        "from upcasters import *\n"
        "step = Step('a', 1, 2, [when(equals('x', 1), drop_event())], lossy='x', shape=present('y'))\n"
        "chain = Chain([step], [Baseline('a', 1, shape=anything())])\n"
        "unclear = Chain([Step('a', 1, 2), Step('b', 1, 2)])\n"
    )
    dropped, passed = json.loads(printed("try", "--chain", "by_hand:chain", "--json", stdin='{"x":1}\n{"y":1}'))
    assert (dropped["outcome"], dropped["reason"], dropped["records"]) == ("skipped", "dropped", [])
    assert (passed["outcome"], passed["reason"], passed["records"][0]["value"]) == ("passed", "current", {"y": 1})
    assert "several event types" in str(upcast("try", "--chain", "by_hand:unclear", stdin="{}").exception)
    assert "is not made by chain_from_package" in refused("new", "x", "--type", "a", "--chain", "by_hand:chain")


# new


@pytest.mark.long
def test_new_starts_a_chain_that_passes_its_checks(tmp_path: Path) -> None:
    told = printed("new", "first version", "--type", "order", "--dir", "orders")
    assert told.splitlines()[:2] == ["wrote orders/__init__.py", "wrote orders/order_1.py"]
    told = printed("new", "add branch", "--type", "order", "--chain", "orders:chain")
    assert "wrote orders/golden/order/1-to-2/add_branch.before.json" in told
    forget()
    told = printed("check", "--laws", "--chain", "orders:chain")
    assert re.search(r"ok: fused\[order to 2\], \d+ events were upcast", told)
    assert re.search(r"^ok: orders:chain \(.*\): 1 type, 2 versions, 1 step$", told, re.MULTILINE)
    assert re.search(r"^ok: \d+ laws tried, 0 wrong; 1 golden pair, 0 wrong \(", told, re.MULTILINE)
    printed("new", "third", "--type", "order", "--dir", "orders", "--to", "3.0")
    forget()
    printed("check", "--chain", "orders:chain")
    assert '"Third."""' in (tmp_path / "orders" / "order_3_0.py").read_text()


UNTOLD = """
from upcasters import *
chain = Chain(
    [Step("x", 1, 2, [add("made", 1)])],
    [Baseline("x", 1)],
    detection=Detection((FromField("kind", "^(x)-[0-9]{7}$"),), (FromField("v"),)),
)
"""


@pytest.mark.long
def test_check_says_which_laws_no_event_got_through(tmp_path: Path) -> None:
    (tmp_path / "by_hand.py").write_text(UNTOLD)
    result = upcast("check", "--laws", "--chain", "by_hand:chain")
    assert result.exit_code == 1
    assert "not tried: fused[x to 2]" in result.stdout.splitlines()
    assert re.search(r"^wrong: \d+ laws tried, 0 wrong, [1-9]+ not tried \(", result.stdout, re.MULTILINE)
    assert "  fused: x to 2: it could not be tried on any event, so it says nothing;" in result.stdout


@pytest.mark.long
def test_new_starts_another_type_of_a_chain() -> None:
    printed("new", "first version", "--type", "order", "--dir", "orders")
    told = printed("new", "first version", "--type", "order.line", "--chain", "orders:chain", "--to", "2.0")
    assert told.splitlines()[:2] == [
        "wrote orders/order_line_2_0.py",
        "next: say in the model what order.line 2.0 holds",
    ]
    forget()
    printed("new", "add tax", "--type", "order.line", "--chain", "orders:chain")
    forget()
    printed("check", "--laws", "--chain", "orders:chain")
    assert "order.line" in printed("show", "--chain", "orders:chain")
    code = printed("show", "--code", "--chain", "orders:chain")
    assert "# none: the chain has several event types (order, order.line) and nothing says how to tell them" in code


@pytest.mark.parametrize("package", ["upcasters", "upcast_authoring", "worker", "upcast_demo"])
def test_type_checkers_are_told_that_there_are_types(package: str) -> None:
    assert (Path(__file__).parents[3] / package / "py.typed").is_file()


def test_show_the_code_of_a_chain_whose_rules_need_more(tmp_path: Path) -> None:
    printed("new", "first version", "--type", "order", "--dir", "orders")
    rules = "Detection(version=(FromField('v', pattern='v([0-9]+)'),))"
    (tmp_path / "orders" / "__init__.py").write_text(
        f"from upcasters import *\nchain = chain_from_package(__name__, detection={rules})\n"
    )
    forget()
    assert "# none: these rules of detection are asked one by one" in printed(
        "show", "--code", "--chain", "orders:chain"
    )


def forget() -> None:
    for name in [name for name in sys.modules if name.startswith("orders")]:
        del sys.modules[name]


@pytest.mark.long
def test_new_makes_an_example_from_the_model(tmp_path: Path) -> None:
    printed("new", "first", "--type", "order", "--dir", "orders", "--to", "2024-01-01")
    (tmp_path / "orders" / "order_2024_01_01.py").write_text(
        "from typing import *\nfrom pydantic import *\nfrom upcasters import *\n"
        "class Line(BaseModel):\n    n: int\n"
        "class Order(BaseModel):\n"
        "    v: str\n    id: str\n    line: Line\n    kind: Literal['a', 'b']\n    one: Literal['c']\n"
        "    maybe: int | None\n    lines: list[Line]\n    price: float\n    text: str = Field(examples=['x'])\n"
        "baseline = Baseline('order', '2024-01-01', model=Order)\n"
    )
    (tmp_path / "orders" / "__init__.py").write_text(
        "from upcasters import *\n"
        "chain = chain_from_package(__name__, detection=Detection(version=(FromField('v'),)))\n"
    )
    assert "cannot be guessed; say it with --to" in refused("new", "x", "--type", "order", "--dir", "orders")
    forget()
    printed("new", "Next!", "--type", "order", "--dir", "orders", "--to", "2024-02-01")
    before = (tmp_path / "orders" / "golden" / "order" / "2024-01-01-to-2024-02-01" / "next.before.json").read_text()
    assert before == (
        '{"v":"2024-01-01","id":"text","line":{"n":1},"kind":"a","one":"c","maybe":1,"lines":[],"price":1.5,"text":"x"}\n'
    )
    assert '"v":"2024-02-01"' in before.replace("01-01", "02-01")
    forget()
    printed("check", "--laws", "--chain", "orders:chain")


def test_new_goes_before_a_preview(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[3] / "upcasters" / "devteam_runner"
    for file in shipped.rglob("*"):
        if file.suffix in (".py", ".json"):
            copy = tmp_path / "devteam" / file.relative_to(shipped)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes().replace(b"upcasters.devteam_runner import", b"devteam import"))
    told = printed("new", "add branch", "--type", "task_context", "--chain", "devteam:chain")
    assert "changed devteam/task_context_3_0.py: its preview step starts at 2.1 now" in told
    for name in [name for name in sys.modules if name.startswith("devteam")]:
        del sys.modules[name]
    rows = json.loads(printed("matrix", "--chain", "devteam:chain", "--json"))
    assert ("2.1", "3.0 (task_context.node)") in {(row["source"], row["target"]) for row in rows}
    printed("check", "--chain", "devteam:chain")


def test_new_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    assert "no name for a Python package" in refused("new", "x", "--type", "a", "--dir", "not-a-name")
    assert "the title is empty" in refused("new", " ", "--type", "a", "--dir", "orders")
    printed("new", "first", "--type", "order", "--dir", "orders")
    (tmp_path / "orders" / "order_2_b.py").write_text("")
    assert refused("new", "x", "--type", "order", "--dir", "orders", "--to", "2-b") == (
        "orders/order_2_b.py exists already; nothing was written"
    )
    assert "has a version 1 already" in refused("new", "x", "--type", "order", "--dir", "orders", "--to", "1")
    assert refused("new", "x", "--type", "other", "--dir", "orders") == (
        "chain orders:chain has no type other; it has order. To start it there, name its first version with --to"
    )
    wrong = tmp_path / "orders" / "golden" / "order" / "1-to-9"
    wrong.mkdir(parents=True)
    (wrong / "a.before.json").write_text("{}")
    assert "the folder is not <type>/<from>-to-<to>" in refused(
        "new", "x", "--type", "order", "--dir", "orders", "--to", "3"
    )


def test_new_leaves_an_installed_chain_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    printed("new", "first", "--type", "order", "--dir", "orders")
    told = refused("new", "second", "--type", "order", "--chain", "orders:chain")
    assert told.startswith(f"chain orders:chain is an installed package ({tmp_path / 'orders'}), whose next version")
    assert sorted(path.name for path in (tmp_path / "orders").glob("*.*")) == ["__init__.py", "order_1.py"]


# check --laws


@pytest.mark.long
def test_check_laws_tells_what_is_broken(tmp_path: Path) -> None:
    printed("new", "first", "--type", "order", "--dir", "orders")
    printed("new", "second", "--type", "order", "--dir", "orders")
    (tmp_path / "orders" / "golden" / "order" / "1-to-2" / "second.after.json").write_text('{"a":1}')
    forget()
    result = upcast("check", "--laws", "--chain", "orders:chain")
    assert result.exit_code == 1
    assert "  golden: order 1 to 2, second: not what second.after.json says" in result.stdout
    assert upcast("check", "--laws", "--chain", "no_such:chain").exit_code == 1


def test_check_laws_without_hypothesis_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "upcasters.testing.trials", None)
    told = refused("check", "--laws", "--chain", "upcasters.devteam_runner:chain")
    assert re.search(r": pip install 'hypothesis>=[\d.]+' 'pytest>=[\d.]+'$", told)


def test_help_does_not_import_the_engine() -> None:
    code = "import sys, worker.cli; print([name for name in sys.modules if name.startswith('upcasters')])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert result.stdout.strip() == "[]"


def test_new_finds_no_place_behind_events_that_leave_their_type(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "__init__.py").write_text("from upcasters import *\nchain = chain_from_package(__name__)\n")
    left = "from upcasters import *\nbaseline = Baseline('a', 1)\nstep = Step('a', 1, 2, [rename_type('c')])\n"
    (tmp_path / "orders" / "a.py").write_text(left)
    assert refused("new", "x", "--type", "a", "--dir", "orders") == (
        "every event of a becomes c, so there is no version to start from: name that with --type"
    )


def test_show_calls_no_version_current_that_events_leave(tmp_path: Path) -> None:
    left = "from upcasters import *\nchain = Chain([Step('a', 1, 1, [rename_type('c')])], [Baseline('a', 1)])\n"
    (tmp_path / "by_hand.py").write_text(left)
    lines = printed("show", "--chain", "by_hand:chain").splitlines()
    row = next(line for line in lines if line.startswith("│ a "))
    assert [cell.strip() for cell in row.split("│")][3:6] == ["1", "-", "1"]
    begins = lines.index("a")
    assert lines[begins : begins + 4] == ["a", "└── 1 (baseline), then c 1", "c", "└── 1 (current)"]
