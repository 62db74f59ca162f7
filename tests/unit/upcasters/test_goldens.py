"""Golden pairs: the shipped ones hold, and every way in which a pair can be wrong is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from upcasters import (
    Baseline,
    Chain,
    Detection,
    FromHeader,
    Step,
    anything,
    default,
    drop_event,
    equals,
    load_chain,
    rename,
    split_each,
    when,
)
from upcasters.testing import LawBroken, golden_folder
from upcasters.testing.golden import Golden, _compact, check, goldens

SHIPPED = "upcasters.devteam_runner:chain"
DEVTEAM = load_chain(SHIPPED)
FOLDER = golden_folder(SHIPPED, DEVTEAM)
assert FOLDER is not None
PAIRS = goldens(DEVTEAM, FOLDER)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.subject)
def test_shipped(pair: Golden) -> None:
    check(DEVTEAM, pair)


def test_every_pair_of_versions_has_valid_and_hostile_cases() -> None:
    seen: dict[tuple[str, str], set[str]] = {}
    for pair in PAIRS:
        kind = "fault" if pair.stem.with_name(pair.stem.name + ".fault.json").exists() else "after"
        seen.setdefault((pair.source, pair.target), set()).add(kind)
    up = [("1.0", "1.1"), ("1.1", "2.0"), ("1.0", "2.0"), ("2.0", "3.0")]
    down = [("2.0", "1.1"), ("2.0", "1.0"), ("1.1", "1.0")]
    assert [seen[pair] for pair in up + down] == [{"after", "fault"}] * 7


def test_the_guides_example_as_the_guide_has_it() -> None:
    """Written out here once more, so that a change of the files alone does not go unseen."""
    folder = Path(FOLDER or "") / "task_context" / "1.0-to-2.0"
    assert json.loads((folder / "guide_example.before.json").read_bytes()) == {
        "metadata": {"taskId": "1.1.1", "projectId": "customer-123/project-abc"},
        "nodes": {"select": {"status": "completed"}},
    }
    assert json.loads((folder / "guide_example.after.json").read_bytes()) == {
        "metadata": {
            "task_id": "1.1.1",
            "project_id": "customer-123/project-abc",
            "branch": "main",
            "repo_path": "/workspace/repos/customer-123/project-abc",
        },
        "nodes": {"select": {"status": "completed"}, "prep": {"status": "running"}},
    }


CHAIN = Chain(
    [
        Step("order", 1, 2, [rename("id", "order_id"), when(equals("order_id", "drop"), drop_event())], lossy="test"),
        Step("order", 2, 3, [split_each("lines", "line", item="line", key=["order_id"])], lossy="a test", preview=True),
    ],
    [Baseline("order", 1, shape=anything()), Baseline("line", 3)],
)


def golden(root: Path, files: dict[str, str], folder: str = "order/1-to-2") -> Path:
    place = root / "golden" / folder
    place.mkdir(parents=True)
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    return root / "golden"


def complaint(root: Path, files: dict[str, str], folder: str = "order/1-to-2", chain: Chain = CHAIN) -> str:
    with pytest.raises(LawBroken) as caught:
        passes(root, files, folder, chain)
    return str(caught.value)


def passes(root: Path, files: dict[str, str], folder: str = "order/1-to-2", chain: Chain = CHAIN) -> None:
    (pair,) = goldens(chain, golden(root, files, folder))
    check(chain, pair)


def test_the_after_counts_byte_for_byte(tmp_path: Path) -> None:
    passes(tmp_path / "1", {"a.before.json": '{"id": 1.10}\n', "a.after.json": '{"order_id":1.10}\n'})
    text = complaint(tmp_path / "2", {"a.before.json": '{"id":1.10}', "a.after.json": '{"order_id": 1.1}'})
    assert text.splitlines() == [
        "golden: order 1 to 2, a: not what a.after.json says",
        '  event:    {"id":1.10}',
        '  expected: {"order_id": 1.1}',
        '  happened: upcast to 2: {"order_id":1.10}',
    ]


def test_a_pair_that_differs_by_white_space_alone_is_told_so(tmp_path: Path) -> None:
    text = complaint(tmp_path, {"a.before.json": '{"id":1.10}', "a.after.json": '{ "order_id": 1.10 }'})
    assert "only white space differs, and it is compared byte for byte: copy what happened" in text


def test_a_dead_letter_where_an_event_was_expected_and_the_other_way_round(tmp_path: Path) -> None:
    text = complaint(tmp_path / "1", {"a.before.json": "{}", "a.after.json": "{}"})
    assert "happened: dead letter of stage upcast, step order:1->2, at id: MissingField: id is missing" in text
    fault = '{"stage": "upcast", "error_type": "MissingField", "path": "id"}'
    passes(tmp_path / "2", {"a.before.json": "{}", "a.fault.json": fault})
    text = complaint(tmp_path / "3", {"a.before.json": '{"id":1}', "a.fault.json": fault})
    assert "expected: dead letter of stage upcast, at id: MissingField" in text
    assert 'happened: upcast to 2: {"order_id":1}' in text
    assert "not the fault" in complaint(tmp_path / "4", {"a.before.json": "[]", "a.fault.json": fault})


def test_several_events_and_none(tmp_path: Path) -> None:
    before = '{"id":"7","lines":[{"n":1},{"n":2.0}]}'
    after = (
        '[{"key":"7","value":{"order_id":"7","line":{"n":1}}},\n {"key":"7","value":{"order_id":"7","line":{"n":2.0}}}]'
    )
    passes(tmp_path / "1", {"a.before.json": before, "a.after.json": after}, "order/1-to-3")
    passes(tmp_path / "2", {"a.before.json": '{"id":"drop"}', "a.after.json": "[]"})
    text = complaint(
        tmp_path / "3",
        {"a.before.json": before, "a.after.json": after.replace('"key":"7"', '"key":null')},
        "order/1-to-3",
    )
    assert 'happened: upcast to 3: {"order_id":"7","line":{"n":1}}; key 7 and {' in text
    assert "skipped (dropped)" in complaint(tmp_path / "4", {"a.before.json": '{"id":"drop"}', "a.after.json": "{}"})


def test_files_that_belong_to_nothing_are_reported(tmp_path: Path) -> None:
    assert "the folder is not <type>/<from>-to-<to>" in complaint(
        tmp_path / "1", {"a.before.json": "{}"}, "order/1-to-9"
    )
    assert "the folder is not <type>/<from>-to-<to>" in complaint(
        tmp_path / "2", {"a.before.json": "{}"}, "nope/1-to-2"
    )
    assert "there is no a.before.json beside it" in complaint(tmp_path / "3", {"a.after.json": "{}"})
    assert "the name does not end in one of .before.json" in complaint(tmp_path / "4", {"a.json": "{}"})
    assert "either a.after.json or a.fault.json" in complaint(tmp_path / "5", {"a.before.json": "{}"})


BY_HEADER = Chain(
    [Step("order", 1, 2, [default("n", 1)])],
    [Baseline("order", 1)],
    detection=Detection(version=(FromHeader("v"),)),
)
BY_ROUTE = Chain([Step("order", 1, 2, [default("n", 1)])], [Baseline("order", 1)])


def test_an_event_has_the_headers_that_the_chain_reads(tmp_path: Path) -> None:
    files = {"a.before.json": "{}", "a.after.json": '{"n":1}'}
    passes(tmp_path / "1", files, chain=BY_HEADER)
    passes(tmp_path / "2", files, chain=BY_ROUTE)
    wrong = complaint(tmp_path / "3", files | {"a.headers.json": '{"v": "2"}'}, chain=BY_HEADER)
    assert "takes the event for version 2; give it headers" in wrong
    assert "no rule could tell the version" in complaint(
        tmp_path / "4", files | {"a.headers.json": "{}"}, chain=BY_HEADER
    )
    assert "headers v=null" in complaint(tmp_path / "5", files | {"a.headers.json": '{"v": null}'}, chain=BY_HEADER)


def test_an_event_that_is_there_already_passes_as_it_is(tmp_path: Path) -> None:
    chain = Chain([Step("a", 1, 2, [])], [Baseline("a", 1, shape=anything())])
    files = {"a.before.json": '{ "b": 1 }', "a.after.json": '{ "b": 1 }'}
    (pair,) = goldens(chain, golden(tmp_path, files, "a/1-to-1"))
    check(chain, pair)


def test_odd_types_and_versions_have_folders_too(tmp_path: Path) -> None:
    chain = Chain([Step("a/b c", None, "v2", [default("n", 1)])], [Baseline("a/b c", None, shape=anything())])
    passes(tmp_path, {"a.before.json": "{}", "a.after.json": '{"n":1}'}, "a_b_c/none-to-v2", chain)


def test_the_folder_of_a_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "golden_by_hand.py").write_text("from upcasters import *\nchain = Chain([], [Baseline('a', 1)])\n")
    chain = load_chain("golden_by_hand:chain")
    assert golden_folder("golden_by_hand:chain", chain) is None
    (tmp_path / "golden").mkdir()
    assert golden_folder("golden_by_hand:chain", chain) == tmp_path / "golden"
    assert golden_folder("an-entry-point", chain) is None
    assert golden_folder("devteam-runner", DEVTEAM) == FOLDER


def test_they_are_in_the_wheel() -> None:
    """As far as that can be told without building one: the pattern of the project finds each of them."""
    import tomllib

    root = Path(__file__).parents[3]
    data = tomllib.loads((root / "engine" / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    (pattern,) = data["upcasters.devteam_runner"]
    found = set((root / "upcasters" / "devteam_runner").glob(pattern))
    assert {file for file in Path(FOLDER or "").rglob("*") if file.is_file()} == found


def test_what_is_no_json_is_compared_as_it_is() -> None:
    assert (_compact(b'{ "a": 1 }'), _compact(b"{")) == (b'{"a":1}', b"{")
