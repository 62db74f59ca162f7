"""Points in time: seconds and their parts since 1970, and texts of RFC 3339."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from upcasters.document import from_plain, is_null, json_type, plain
from upcasters.errors import FormatMismatch, StepError, WrongType
from upcasters.operations.base import ChangeValue, Inverse, Operation, Reversibility, at_least_one, choice
from upcasters.operations.numbers import Exact, behind_the_point, digits_given, exact_number
from upcasters.operations.values import OnNull, string
from upcasters.paths import EACH, PathLike, show
from upcasters.traversal import ON_MISSING, OnMissing, OnWrongType

_FORMS: Final = ("s", "ms", "us", "ns", "rfc3339", "local", "timestamp")
_PARTS_OF_A_SECOND: Final = {"s": 0, "ms": 3, "us": 6, "ns": 9}
EXAMPLES: Final = {"rfc3339": "2023-11-14T23:13:20.5+01:00", "local": "2023-11-14T22:13:20"}
"""A text of each form."""

_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,100}))?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)
_OFFSET = re.compile(r"([+-])([01]\d|2[0-3]):?([0-5]\d)", re.ASCII)
_EPOCH = dt.date(1970, 1, 1).toordinal()
_FIRST, _LAST = (dt.date(1, 1, 1).toordinal() - _EPOCH) * 86_400, (dt.date.max.toordinal() - _EPOCH + 1) * 86_400


@dataclass(frozen=True)
class ConvertTime(ChangeValue):
    """Every point in time at a path is written in another form."""

    before: str
    after: str
    offset: int = 0
    """Seconds: what a clock in the zone of local texts is ahead."""
    digits: int | None = None
    more: Literal["error", "cut"] = "error"
    undo: Literal["exact", "whole"] = "exact"
    missing: OnMissing = "error"
    null: OnNull = "error"
    wrong_type: OnWrongType = "error"

    def changed(self, node: Any) -> Any:
        if json_type(node) != _type_of(self.before) and (
            self.wrong_type == "skip" or (self.null == "keep" and is_null(node))
        ):
            return node
        seconds = self._read(node)
        if self.after in _PARTS_OF_A_SECOND:
            number = Exact(seconds.whole, seconds.exponent + _PARTS_OF_A_SECOND[self.after])
            return behind_the_point(self._cut(number), self.digits, "error", self.path)
        return self._text(self._cut(seconds.least()))

    def _cut(self, number: Exact) -> Exact:
        """Without the digits that are to be cut: a time is then never later than it was."""
        left = -number.least().exponent - (self.digits or 0)
        if self.more == "error" or left <= 0:
            return number
        whole, exponent = number.least()
        return Exact(whole // 10**left, exponent + left)

    @property
    def is_finer(self) -> bool:
        """True where a whole number stays one."""
        return (
            self.before in _PARTS_OF_A_SECOND
            and self.after in _PARTS_OF_A_SECOND
            and _PARTS_OF_A_SECOND[self.before] <= _PARTS_OF_A_SECOND[self.after]
        )

    def _read(self, node: Any) -> Exact:
        """Seconds since 1970."""
        if self.before == "timestamp":
            return self._since(node)
        if self.before in _PARTS_OF_A_SECOND:
            number = exact_number(node, self.path)
            return Exact(number.whole, number.exponent - _PARTS_OF_A_SECOND[self.before])
        found = _TEXT.fullmatch(string(node, self.path))
        ahead = None if found is None else self._ahead(found[8])
        if found is None or ahead is None:
            raise FormatMismatch(f"{show(self.path)} is not a time as {self._named(self.before)}", self.path)
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        try:
            days = dt.date(year, month, day).toordinal() - _EPOCH
            dt.time(hour, minute, second)
        except ValueError:
            raise FormatMismatch(f"{show(self.path)} names a time that there is not", self.path) from None
        seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - ahead
        part = found[7] or ""
        return Exact(seconds * 10 ** len(part) + int(part or 0), -len(part))

    def _ahead(self, written: str | None) -> int | None:
        """Seconds that the clock of a text is ahead; None where it has an offset that it must not, or none."""
        if self.before == "local":
            return self.offset if written is None else None
        return None if written is None else offset_of(written)

    def _since(self, node: Any) -> Exact:
        made = plain(node, self.path)
        if type(made) is not dt.datetime or made.tzinfo is None:
            raise WrongType(f"{show(self.path)} is not a timestamp", self.path)
        return Exact((made - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1), -6)

    def _text(self, seconds: Exact) -> Any:
        number = Exact(*seconds).least()
        unit = 10**-number.exponent
        whole, part = divmod(number.whole, unit)
        whole += self.offset if self.after == "local" else 0
        if not _FIRST <= whole < _LAST:
            raise FormatMismatch(f"{show(self.path)} is not in the years from 1 to 9999", self.path)
        digits = "" if unit == 1 else str(part).zfill(-number.exponent)
        if len(digits) > (6 if self.after == "timestamp" else 100 if self.digits is None else self.digits):
            raise FormatMismatch(f"{show(self.path)} has more digits of a second than its new form", self.path)
        days, rest = divmod(whole, 86_400)
        day = dt.date.fromordinal(days + _EPOCH)
        clock = dt.time(rest // 3_600, rest // 60 % 60, rest % 60)
        if self.after == "timestamp":
            made = dt.datetime.combine(day, clock.replace(microsecond=int(digits.ljust(6, "0"))), dt.UTC)
            return from_plain(made, self.path)
        digits = digits.ljust(self.digits or 0, "0")
        return f"{day}T{clock}{'.' * bool(digits)}{digits}{'' if self.after == 'local' else 'Z'}"

    def _named(self, form: str) -> str:
        return "RFC 3339 with an offset" if form == "rfc3339" else "YYYY-MM-DDThh:mm:ss without an offset"

    def inverse(self) -> Inverse:
        digits = self.digits if self.before in ("rfc3339", "local") else None
        back = replace(self, before=self.after, after=self.before, digits=digits, more="error", undo="exact")
        if self.undo == "whole":
            back = replace(back, digits=0, more="cut")
            return Inverse.lossy(f"what {show(self.path)} has behind the point is cut off", back)
        if self.more == "cut":
            return Inverse.lossy(f"{show(self.path)} had more digits behind the point", back)
        if self.before in ("rfc3339", "local"):
            why = f"{show(self.path)} is written as the same time, in the one form that is made"
            return Inverse((back,), Reversibility.EQUIVALENT, why)
        return Inverse((back,))

    def is_local(self) -> bool:
        return len(self.path) == 1 and self.path[0] is not EACH

    def __str__(self) -> str:
        return f"convert {show(self.path)} from {self.before} to {self.after}"


def offset_of(written: str) -> int | None:
    """The seconds that ``+02:00`` is ahead; ``Z`` is none. None for what is no offset."""
    if written in ("Z", "z"):
        return 0
    found = _OFFSET.fullmatch(written)
    if found is None:
        return None
    ahead = int(found[2]) * 3_600 + int(found[3]) * 60
    return -ahead if found[1] == "-" else ahead


def _type_of(form: str) -> str:
    if form == "timestamp":
        return "timestamp"
    return "number" if form in _PARTS_OF_A_SECOND else "string"


def convert_time(
    field: PathLike,
    before: str,
    after: str,
    *,
    zone: str = "Z",
    digits: int | None = None,
    more: Literal["error", "cut"] = "error",
    undo: Literal["exact", "whole"] = "exact",
    missing: OnMissing = "error",
    null: OnNull = "error",
    wrong_type: OnWrongType = "error",
) -> Operation:
    """Time to time: ``convert_time("created", "s", "rfc3339")``; also ``ms``, ``us``, ``ns``, ``local``, ``timestamp``.

    ``1700000000`` becomes ``"2023-11-14T22:13:20Z"``. The numbers count since 1970. ``rfc3339`` is a text with an
    offset, written with ``Z``; ``local`` is one without, meant in ``zone``: ``+01:00``. (Names of regions are none:
    their offsets change, and so what an old event becomes would.) ``timestamp`` is a value that Avro has.
    ``digits`` is how many of a second the text has, or the new number behind the point; else as many as there are. More
    are an error; with ``more="cut"`` they are cut off, which is lossy. On the way down the forms change places; with
    ``undo="whole"`` what is behind the point is then cut off, which is lossy, too.
    """
    choice(before, _FORMS, "before")
    choice(after, _FORMS, "after")
    choice(more, ("error", "cut"), "more")
    choice(undo, ("exact", "whole"), "undo")
    choice(missing, ON_MISSING, "missing")
    choice(null, ("error", "keep"), "null")
    choice(wrong_type, ON_MISSING, "wrong_type")
    digits_given(digits, more)
    if before == after:
        raise StepError("both forms are the same", "Leave it out.", "no-op")
    offset = offset_of(zone)
    if offset is None or (zone != "Z" and "local" not in (before, after)):
        what = f"zone={zone!r} is no offset" if offset is None else f"zone={zone!r}, and no form is 'local'"
        raise StepError(what, "Write +01:00 beside the form 'local'; other texts have an offset.", "option")
    options = (offset, digits, more, undo, missing, null, wrong_type)
    return ConvertTime(at_least_one(field), before, after, *options)
