"""What commands print for people is there to be read, and to be copied, also on a narrow screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcast_authoring.cli.output import print_table
from worker.cli.next_step import after_letter, after_listing, after_plan, after_redrive_plan, after_verify
from worker.cli.options import DEFAULT_CONFIG
from worker.dlq import report
from worker.replay.census import report as census

COLUMNS = ("fingerprint", "letters", "error", "from topic", "first seen")
ROWS = [("aef84cffea796b08", "10,603", "decode DecodeError", "devteam.task-context.legacy", "2026-11-25T12:00:34Z")]
PROSE = [("pass", "nothing waits " * 20)]


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, *table: object) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(*table)  # type: ignore[arg-type]  # parametrized: mypy sees the union
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_word_is_broken(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = printed(capsys, monkeypatch, width, COLUMNS, ROWS, "would be [dead] letters")
    assert "would be [dead] letters" in text
    for word in " ".join((*COLUMNS, *ROWS[0])).split():
        assert word in text
    assert max(map(len, text.splitlines())) <= width
    assert ("┃" in text) is (width == 200)


def test_prose_is_wrapped_in_its_column(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "┃" in printed(capsys, monkeypatch, 80, ("status", "evidence"), PROSE)


LETTERS = [
    (
        "aef84cffea796b08",
        "10,603",
        "10,600 (redriven 2 x)",
        "decode DecodeError",
        "task_context 1.0 -> 2.0",
        "-",
        "devteam.task-context.legacy",
        "2026-11-25T12:00:34Z",
        "2026-11-26T08:00:00Z",
        "0:42",
    )
]
TYPES = [
    (
        "task_context",
        "1.0",
        "-",
        "1,000,000",
        "83 %",
        "2,000,000,000",
        "2019-01-01T00:00:00Z",
        "2026-11-25T12:00:34Z",
        "0: 50 %, 1: 50 %",
        "old",
    )
]
CAPTURES = {
    ("letters", 80): """\
┏━━━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┓
┃ fingerprint      ┃ letters ┃ left                  ┃ error              ┃
┡━━━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━┩
│ aef84cffea796b08 │ 10,603  │ 10,600 (redriven 2 x) │ decode DecodeError │
└──────────────────┴─────────┴───────────────────────┴────────────────────┘
not shown: first seen, from topic, last seen, of, step, first at; --plain and
--json have them
""",
    ("letters", 120): """\
┏━━━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━┳━━━━━━━━━━┓
┃ fingerprint      ┃ letters ┃ left                  ┃ error              ┃ of                      ┃ step ┃ first at ┃
┡━━━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━╇━━━━━━━━━━┩
│ aef84cffea796b08 │ 10,603  │ 10,600 (redriven 2 x) │ decode DecodeError │ task_context 1.0 -> 2.0 │ -    │ 0:42     │
└──────────────────┴─────────┴───────────────────────┴────────────────────┴─────────────────────────┴──────┴──────────┘
not shown: first seen, from topic, last seen; --plain and --json have them
""",
    ("types", 80): """\
┏━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━┓
┃ type         ┃ version ┃ records   ┃ share ┃ last seen            ┃ note ┃
┡━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━┩
│ task_context │ 1.0     │ 1,000,000 │ 83 %  │ 2026-11-25T12:00:34Z │ old  │
└──────────────┴─────────┴───────────┴───────┴──────────────────────┴──────┘
not shown: by partition, first seen, bytes, shape; --plain and --json have them
""",
}


@pytest.mark.parametrize(("name", "width"), CAPTURES)
def test_a_screen_shows_what_matters_most_in_one_line_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    if name == "letters":
        print_table(report.COLUMNS, LETTERS, spare=report.SPARE)
    else:
        print_table(census.COLUMNS, TYPES, spare=census.SPARE)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == CAPTURES[name, width].splitlines()
    assert max(map(len, lines)) <= width


def test_a_pipe_gets_all_columns_in_one_line_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(report.COLUMNS, LETTERS, spare=report.SPARE)
    whole = capsys.readouterr().out.splitlines()
    assert len(whole) == 5
    assert all(cell in whole[3] for cell in LETTERS[0])
    print_table(report.COLUMNS, LETTERS, spare=report.SPARE, plain=True)
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == [
        list(report.COLUMNS),
        list(LETTERS[0]),
    ]


def test_commands_end_in_what_to_do_next() -> None:
    other = Path("my config.yaml")
    plan = {"objections": False, "empty": False, "config": DEFAULT_CONFIG}
    assert after_plan("plan.json", **plan) == "next: look through plan.json, then `upcast replay plan.json`"  # type: ignore[arg-type]  # parametrized: mypy sees the union
    assert "--allow NAME" in after_plan("plan.json", objections=True, empty=False, config=other)
    passed = after_verify("PASS", "r.json", redrive=False, destination="d", config=other)
    assert passed == "next: `upcast run --after r.json --config 'my config.yaml'`"
    assert "keep readers away from d" in after_verify("FAIL", "r.json", redrive=False, destination="d", config=other)
    assert "`upcast verify r.json" in after_verify("UNDECIDED", "r.json", redrive=False, destination="d", config=other)
    listed = {"config": DEFAULT_CONFIG, "route": None}
    assert after_listing("", left=0, hidden=False, **listed).startswith("next: nothing")  # type: ignore[arg-type]  # as above
    unseen = after_listing("", left=0, hidden=True, **listed)  # type: ignore[arg-type]  # as above
    assert unseen.endswith("then `upcast dlq list` again; letters may be waiting there")
    assert after_listing("ab", left=1, hidden=True, config=DEFAULT_CONFIG, route="legacy") == (
        "next: `upcast dlq show ab --route legacy` shows one; once the chain is mended, "
        "`upcast dlq redrive --fingerprint ab --plan --route legacy` says what a redrive would do"
    )
    assert "`upcast explain MissingField`" in after_letter("ab", "MissingField", config=other, route=None)
    redrive = after_redrive_plan("f.json", ("ab",), objections=False, empty=False, config=DEFAULT_CONFIG, route=None)
    assert redrive == "next: `upcast dlq redrive --fingerprint=ab --file f.json`"
