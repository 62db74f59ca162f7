"""Times in another form: exact, with units and zone as stated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.unit.upcasters.applying import applied
from upcasters import Baseline, Chain, ChainError, Operation, Reversibility, Step, StepError, convert_time
from upcasters.errors import EncodeError, EventError, FormatMismatch, MissingField, WrongType

DONE: list[tuple[Operation, str, str]] = [
    (convert_time("a", "s", "ms"), '{"a":1700000000}', '{"a":1700000000000}'),
    (convert_time("a", "s", "ms"), '{"a":1700000000.5}', '{"a":1700000000500}'),
    (convert_time("a", "ms", "s"), '{"a":1700000000123}', '{"a":1700000000.123}'),
    (convert_time("a", "ns", "ms", digits=0, more="cut"), '{"a":1999999}', '{"a":1}'),
    (convert_time("a", "ns", "ms", digits=0, more="cut"), '{"a":-1}', '{"a":-1}'),
    (convert_time("a", "ms", "rfc3339"), '{"a":1700000000123}', '{"a":"2023-11-14T22:13:20.123Z"}'),
    (convert_time("a", "ms", "rfc3339"), '{"a":1700000000000}', '{"a":"2023-11-14T22:13:20Z"}'),
    (convert_time("a", "ms", "rfc3339", digits=3), '{"a":1700000000000}', '{"a":"2023-11-14T22:13:20.000Z"}'),
    (convert_time("a", "ns", "rfc3339"), '{"a":1700000000000000001}', '{"a":"2023-11-14T22:13:20.000000001Z"}'),
    (convert_time("a", "ns", "rfc3339", digits=3, more="cut"), '{"a":-1}', '{"a":"1969-12-31T23:59:59.999Z"}'),
    (convert_time("a", "s", "rfc3339"), '{"a":-1}', '{"a":"1969-12-31T23:59:59Z"}'),
    (convert_time("a", "s", "rfc3339"), '{"a":-62135596800}', '{"a":"0001-01-01T00:00:00Z"}'),
    (convert_time("a", "s", "rfc3339"), '{"a":253402300799}', '{"a":"9999-12-31T23:59:59Z"}'),
    (convert_time("a", "rfc3339", "s"), '{"a":"2024-02-29T12:00:00+05:30"}', '{"a":1709188200}'),
    (convert_time("a", "rfc3339", "ms"), '{"a":"2024-02-29t06:30:00.5z"}', '{"a":1709188200500}'),
    (convert_time("a", "rfc3339", "s"), '{"a":"2024-02-29 01:00:00-0530"}', '{"a":1709188200}'),
    (convert_time("a", "local", "s"), '{"a":"1970-01-01T00:00:00"}', '{"a":0}'),
    (
        convert_time("a", "local", "rfc3339", zone="+01:00"),
        '{"a":"1970-01-01 00:00:00"}',
        '{"a":"1969-12-31T23:00:00Z"}',
    ),
    (convert_time("a", "s", "local", zone="-03:30"), '{"a":0}', '{"a":"1969-12-31T20:30:00"}'),
    (convert_time("a.*.t", "s", "ms"), '{"a":[{"t":1},{"t":2}]}', '{"a":[{"t":1000},{"t":2000}]}'),
    (convert_time("a", "s", "ms", null="keep"), '{"a":null}', '{"a":null}'),
    (convert_time("a", "s", "ms", missing="skip"), "{}", "{}"),
    (convert_time("a", "rfc3339", "ms", wrong_type="skip"), '{"a":7}', '{"a":7}'),
]


@pytest.mark.parametrize(("operation", "before", "after"), DONE)
def test_a_time_is_the_same_in_another_form(operation: Operation, before: str, after: str) -> None:
    assert applied(before, operation) == after


REFUSED: list[tuple[Operation, str, type[EventError]]] = [
    (convert_time("a", "rfc3339", "s"), '{"a":"2023-02-29T10:00:00Z"}', FormatMismatch),
    (convert_time("a", "rfc3339", "s"), '{"a":"2023-02-28T24:00:00Z"}', FormatMismatch),
    (convert_time("a", "rfc3339", "s"), '{"a":"2016-12-31T23:59:60Z"}', FormatMismatch),
    (convert_time("a", "rfc3339", "s"), '{"a":"2023-02-28T10:00:00"}', FormatMismatch),
    (convert_time("a", "rfc3339", "s"), '{"a":"2023-02-28T10:00:00+24:00"}', FormatMismatch),
    (convert_time("a", "rfc3339", "s"), '{"a":"2023-02-28"}', FormatMismatch),
    (convert_time("a", "rfc3339", "s"), '{"a":"2023-02-28T10:00:00Z\\n"}', FormatMismatch),
    (convert_time("a", "rfc3339", "s"), '{"a":"٢٠٢٣-02-28T10:00:00Z"}', FormatMismatch),
    (convert_time("a", "local", "s"), '{"a":"2023-02-28T10:00:00Z"}', FormatMismatch),
    (convert_time("a", "s", "rfc3339"), '{"a":253402300800}', FormatMismatch),
    (convert_time("a", "s", "rfc3339"), '{"a":1e400}', FormatMismatch),
    (convert_time("a", "s", "rfc3339"), '{"a":1e999999999}', WrongType),
    (convert_time("a", "s", "rfc3339"), '{"a":"1"}', WrongType),
    (convert_time("a", "s", "rfc3339"), '{"a":true}', WrongType),
    (convert_time("a", "s", "rfc3339"), '{"a":null}', WrongType),
    (convert_time("a", "s", "rfc3339"), "{}", MissingField),
    (convert_time("a", "ns", "rfc3339", digits=3), '{"a":1}', FormatMismatch),
    (convert_time("a", "ns", "s", digits=3), '{"a":1}', FormatMismatch),
    (convert_time("a", "ns", "timestamp"), '{"a":1}', FormatMismatch),
    (convert_time("a", "s", "timestamp"), '{"a":1}', EncodeError),
    (convert_time("a", "timestamp", "s"), '{"a":1}', WrongType),
]


@pytest.mark.parametrize(("operation", "document", "error"), REFUSED)
def test_what_is_no_such_time_is_an_error(operation: Operation, document: str, error: type[EventError]) -> None:
    with pytest.raises(error):
        applied(document, operation)


WRONG: list[tuple[Callable[[], Operation], str]] = [
    (lambda: convert_time("a", "s", "s"), "no-op"),
    (lambda: convert_time("a", "s", "hours"), "option"),
    (lambda: convert_time("a", "date", "s"), "option"),
    (lambda: convert_time("a", "local", "s", zone="Europe/Berlin"), "option"),
    (lambda: convert_time("a", "local", "s", zone="+25:00"), "option"),
    (lambda: convert_time("a", "rfc3339", "s", zone="+01:00"), "option"),
    (lambda: convert_time("a", "s", "ms", more="cut"), "option"),
]


@pytest.mark.parametrize(("build", "code"), WRONG)
def test_forms_that_make_no_sense_are_refused(build: Callable[[], Operation], code: str) -> None:
    with pytest.raises(StepError) as caught:
        build()
    assert [problem.code for problem in caught.value.problems] == [code]


@given(st.datetimes(), st.sampled_from(["", "Z", "+14:00", "-09:30"]))
def test_texts_are_read_as_python_reads_them(moment: dt.datetime, offset: str) -> None:
    text = moment.isoformat() + offset
    known = dt.datetime.fromisoformat(text if offset else text + "+02:00")
    operation = convert_time("a", "rfc3339", "us") if offset else convert_time("a", "local", "us", zone="+02:00")
    microseconds = (known - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    assert applied(f'{{"a":"{text}"}}', operation) == f'{{"a":{microseconds}}}'


@given(st.datetimes().map(lambda moment: moment.replace(tzinfo=dt.UTC)), st.sampled_from(["s", "ms", "ns"]))
def test_numbers_come_back_from_texts(moment: dt.datetime, unit: str) -> None:
    operation, back = convert_time("a", "us", "rfc3339"), convert_time("a", "us", unit)
    microseconds = (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    up = applied(f'{{"a":{microseconds}}}', operation)
    assert dt.datetime.fromisoformat(up[6:-2]) == moment
    for one in (operation, back):
        inverse = one.inverse()
        assert inverse.kind is Reversibility.EXACT
        assert applied(applied(f'{{"a":{microseconds}}}', one), inverse.operations[0]) == f'{{"a":{microseconds}}}'


def test_how_far_it_goes_back() -> None:
    assert convert_time("a", "rfc3339", "ms").inverse().kind is Reversibility.EQUIVALENT
    assert convert_time("a", "ns", "ms", digits=0, more="cut").inverse().kind is Reversibility.LOSSY
    inverse = convert_time("a", "s", "ms", undo="whole").inverse()
    assert inverse.kind is Reversibility.LOSSY
    assert applied('{"a":1999}', inverse.operations[0]) == '{"a":1}'
    kept = convert_time("a", "rfc3339", "ms", digits=3).inverse()
    assert applied('{"a":1000}', kept.operations[0]) == '{"a":"1970-01-01T00:00:01.000Z"}'


class Seconds(BaseModel):
    at: int


class Text(BaseModel):
    at: str


class Optional(BaseModel):
    at: str | None


CHECKED: list[tuple[type[BaseModel], type[BaseModel], Operation, str]] = [
    (Seconds, Text, convert_time("at", "s", "rfc3339"), ""),
    (Text, Seconds, convert_time("at", "rfc3339", "s", digits=0), ""),
    (Text, Seconds, convert_time("at", "rfc3339", "s"), "at may be number"),
    (Seconds, Seconds, convert_time("at", "s", "ms"), ""),
    (Seconds, Seconds, convert_time("at", "ms", "s"), "at may be number"),
    (Optional, Optional, convert_time("at", "local", "rfc3339", null="keep"), ""),
    (Optional, Optional, convert_time("at", "local", "rfc3339"), "at may be null"),
    (Seconds, Text, convert_time("at", "rfc3339", "local"), "at may be integer"),
    (Seconds, Seconds, convert_time("at", "s", "rfc3339"), "at"),
]


@pytest.mark.parametrize(("old", "new", "operation", "said"), CHECKED)
def test_the_model_is_followed(old: type[BaseModel], new: type[BaseModel], operation: Operation, said: str) -> None:
    chain = Chain([Step("t", "1", "2", [operation], model=new)], [Baseline("t", "1", model=old)])
    if said:
        with pytest.raises(ChainError, match=said):
            chain.check()
    else:
        chain.check()
