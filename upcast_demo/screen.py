"""The demo's output: a progress bar on a terminal, plain lines elsewhere, and the final screen."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from upcast_demo.account import OUTCOMES, DemoAccount, header
from upcast_demo.history import HistoryKind
from upcast_demo.kafka import RecordReadBack

LETTER_HEADERS = (
    ("__connect.errors.topic", "came from"),
    ("__connect.errors.partition", "partition"),
    ("__connect.errors.offset", "offset"),
    ("__connect.errors.stage", "failed at"),
    ("__connect.errors.exception.class.name", "error"),
    ("__connect.errors.exception.message", "because"),
    ("upcaster.dlq.failed.step", "in step"),
    ("upcaster.dlq.fingerprint", "fingerprint"),
)


class StoryProgress(Protocol):
    """Told how far a piece of work has come."""

    def __call__(self, done: int) -> None: ...


class Screen:
    """Everything goes through here; a pipe gets plain lines and no colours."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)

    def line(self, text: str) -> None:
        self.console.print(text)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[StoryProgress]:
        """Shows how far ``what`` has come: a bar on a terminal, a line every quarter elsewhere."""
        if self.console.is_terminal:
            with self._bar() as bar:
                task = bar.add_task(what, total=total)
                yield lambda done: bar.update(task, completed=done)
        else:
            yield self._quarters(what, total)

    def _bar(self) -> Progress:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        return Progress(*columns, TimeElapsedColumn(), console=self.console)

    def _quarters(self, what: str, total: int) -> StoryProgress:
        shown = 0

        def told(done: int) -> None:
            nonlocal shown
            quarter = 4 * done // total
            if quarter > shown:
                shown = quarter
                self.line(f"  {what}: {done:,} of {total:,}")

        return told

    def pair(self, before: bytes, after: bytes) -> None:
        """One event before and after, as a diff."""
        self.console.rule("One event, before (1.0) and after (2.0)", align="left", style="dim")
        old, new = (json.dumps(json.loads(side), indent=2, ensure_ascii=False).splitlines() for side in (before, after))
        styles = {"-": "red", "+": "green", " ": "dim"}
        for line in difflib.ndiff(old, new):
            if line[0] in styles:
                self.console.print(Text(line, style=styles[line[0]]))

    def account(self, account: DemoAccount) -> None:
        """What became of every event; the rows and columns add up."""
        title = "What became of every event, counted in the topics"
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("event", overflow="fold")
        # On a narrow screen words go on in the next line; a number that is cut would be another number.
        digits = len(f"{sum(map(account.total, OUTCOMES)):,}")
        for name in ("written", *OUTCOMES):
            table.add_column(name.replace("-", " "), justify="right", min_width=digits)
        for kind in HistoryKind:
            self._row(table, kind, [account.of(kind, outcome) for outcome in OUTCOMES])
        table.add_section()
        self._row(table, "all", [account.total(outcome) for outcome in OUTCOMES])
        self.console.print(table)

    def _row(self, table: Table, name: str, counts: list[int]) -> None:
        table.add_row(name, f"{sum(counts):,}", *(f"{count:,}" if count else "·" for count in counts))

    def letter(self, letter: RecordReadBack) -> None:
        """One dead letter with its reason; its bytes are the original's."""
        self.console.rule("One dead letter, and why", align="left", style="dim")
        for name, label in LETTER_HEADERS:
            self.console.print(Text.assemble((f"{label:>12}  ", "dim"), header(letter, name)))
        value = Text((letter.value or b"").decode(errors="replace"))
        value.truncate(max(20, self.console.width - 16), overflow="ellipsis")
        self.console.print(Text.assemble((f"{'value':>12}  ", "dim"), value))
