"""Does an event fit the model of its version? Asked of the bytes, which are never written anew."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

from upcasters.document import read, write
from upcasters.errors import EventError, InvalidEvent
from upcasters.paths import Place, show
from upcasters.validation.accept import fast_accept
from upcasters.validation.bounded import bounded_validator
from upcasters.validation.declared import Declared
from upcasters.validation.shapes import shape_of

_SHOWN = 10
# Of more faults than this nobody reads, and larger documents may have half a million. Each takes time and memory.
_MOST_FAULTS = 1_000
_LARGE = 16 * 1024
_values = reprlib.Repr()
_values.maxstring = 200
_NOT_ACCEPTED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Validator:
    """Checks events of one version against its pydantic model, strictly.

    What the model does not declare never makes an event invalid, whatever its value, unless the model itself
    says ``extra="forbid"``: where pydantic cannot read it, the model is shown the declared part only.
    """

    def __init__(self, model: type[BaseModel], *, include_values: bool = False) -> None:
        self.model = model
        self.shape = shape_of(model)
        """What the native extension knows of the model, None where that is nothing."""
        self._accept = None if self.shape is not None else fast_accept(model)
        self._declared = Declared(model)
        self._include_values = include_values

    def check(self, data: bytes) -> None:
        """Return where ``data``, one JSON object, fits the model.

        Raises InvalidEvent, which names paths and pydantic's error types; values where ``include_values``.
        """
        if self.shape is not None:
            if self.shape.fits(data):
                return
        elif self._accept is not None:
            try:
                self._accept(data)
            except _NOT_ACCEPTED:
                pass
            else:
                return
        self._ask(data)

    def _ask(self, data: bytes) -> None:
        try:
            faults = self._faults(data)
            if faults and faults[0]["type"] == "json_invalid":
                faults = self._faults(write(self._declared.only(read(data))))
        except EventError as error:
            raise InvalidEvent(str(error)) from None
        except Exception as error:  # a validator of the user's own may raise anything
            raise InvalidEvent(f"the model's own checks raised {type(error).__name__}") from error
        if faults:
            raise InvalidEvent(self._told(faults), self._place_of(faults[0], data))

    def _place_of(self, fault: Any, data: bytes) -> Place:
        with suppress(EventError):
            return self._declared.place(fault["loc"], read(data))
        return self._declared.place(fault["loc"])

    def _faults(self, data: bytes) -> list[Any]:
        validator = self.model.__pydantic_validator__ if len(data) < _LARGE else self._bounded
        try:
            validator.validate_json(data, strict=True)
        except ValidationError as error:
            if error.error_count() > _MOST_FAULTS and not self._include_values:
                return list(_first_of(error))
            return error.errors(include_url=False, include_context=False, include_input=self._include_values)
        return []

    @cached_property
    def _bounded(self) -> SchemaValidator:
        return bounded_validator(self.model)

    def _told(self, faults: Sequence[Any]) -> str:
        lines = list(dict.fromkeys(map(self._line, faults[:_MOST_FAULTS])))
        more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        return "; ".join(lines[:_SHOWN]) + more

    def _line(self, fault: Any) -> str:
        place = show(self._declared.path(fault["loc"])) or "the document"
        text = f"{place}: {fault['type']}"
        if self._include_values:
            at = ".".join(map(str, fault["loc"]))
            text += f" (at {at or 'the top'}: {fault['msg']}; found {_values.repr(fault['input'])})"
        return text


def _first_of(error: ValidationError) -> Iterator[Any]:
    """The first of very many faults, read out of their text, which takes an eighth of what all their dicts would."""
    text, decoder = error.json(include_url=False, include_context=False, include_input=False), json.JSONDecoder()
    position = len("[")
    for _ in range(_MOST_FAULTS):
        fault, end = decoder.raw_decode(text, position)
        position = end + len(",")
        yield fault
