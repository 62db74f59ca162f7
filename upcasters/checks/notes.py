"""Where the findings of a projection go, and what is known of the record's headers meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from upcasters.checks.problems import Report
from upcasters.checks.shape import Shape
from upcasters.operations.base import Operation
from upcasters.operations.choice import walk
from upcasters.operations.events import DropHeader, FieldToHeader, HeaderToField, RenameHeader, SetHeader
from upcasters.paths import Path, show


@dataclass(frozen=True)
class Notes:
    """Where findings go. ``at`` is where the shape stands that is looked at; ``children`` gets those of a split."""

    report: Report
    children: list[tuple[str, str | None, Shape]]
    at: Path = ()
    headers: dict[str, bool] = field(default_factory=dict)
    """Whether a record header is there, as far as the operations tell."""
    remedy: str = "Say missing='skip', or give it a default first."
    """What helps where a field may be missing."""

    def named(self, path: Path) -> str:
        """A path for people."""
        return show((*self.at, *path)) or "the document"

    def below(self, path: Path) -> Notes:
        """For what happens at ``path``."""
        return replace(self, at=(*self.at, *path))

    def silent(self) -> Notes:
        """For what may not happen at all."""
        return replace(self, report=lambda _code, _message, _remedy: None)

    def perhaps(self, operations: Iterable[Operation]) -> Notes:
        """For operations that some events skip: of the headers that they change nothing is known behind them."""
        inner = replace(self, headers=dict(self.headers))
        for name in {name for operation in walk(operations) for name in _header_names(operation)}:
            self.headers.pop(name, None)
        return inner

    def put_header(self, name: str, *, exists: str = "error", sure: bool = True) -> None:
        """An operation makes a header."""
        if exists == "error" and sure and self.headers.get(name):
            what = f"header {name} is always there already and the operation then fails"
            self.report("collision", what, "Choose another name, or drop the other header first.")
        self.headers[name] = True
        if not sure:
            self.headers.pop(name)

    def take_header(self, name: str, *, strict: bool) -> None:
        """An operation removes a header."""
        if strict and self.headers.get(name) is False:
            what = f"header {name} does not exist at this point"
            self.report("no-such-path", what, "Mend the name, or say missing='skip'.")
        self.headers[name] = False

    def missing(self, path: Path, *, may: bool, known: Iterable[str] = ()) -> None:
        """An operation needs a field that is not, or may not be, there; ``known`` are those beside it."""
        if may:
            what = f"{self.named(path)} may be missing and the operation then fails"
            self.report("may-be-missing", what, self.remedy)
        else:
            what = f"{self.named(path)} does not exist at this point, as far as the model tells"
            near = get_close_matches(str(path[-1]), known, 1)
            meant = f"Did you mean {self.named((*path[:-1], *near))}? If not, mend" if near else "Mend"
            self.report("no-such-path", what, f"{meant} the path, or declare the field in the source's model.")

    def taken(self, path: Path) -> None:
        """An operation makes a field that is always there already."""
        what = f"{self.named(path)} is always there already and the operation then fails"
        self.report("collision", what, "Choose another name, or drop or merge the other field first.")


def _header_names(operation: Operation) -> tuple[str, ...]:
    names = (getattr(operation, name, None) for name in ("name", "old", "new"))
    known = isinstance(operation, (SetHeader, RenameHeader, DropHeader, HeaderToField, FieldToHeader))
    return tuple(name for name in names if name is not None) if known else ()


SILENT = Notes(lambda _code, _message, _remedy: None, [])
