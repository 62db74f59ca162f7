"""Values as the readers of a chain are there for: a made up event, written so that they have something to read."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from upcasters.readers import OF_EVERY_ENVELOPE, ReaderName, ValueReader

Disguise = Callable[[bytes], bytes]


def disguised(readers: Sequence[ValueReader], values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """The values, each as some of the readers would have it. What the first one reads is written last."""
    ways = [DISGUISES[reader.name] for reader in reversed(readers) if reader.name in DISGUISES]
    for listed in ways:
        values = st.builds(_worn, values, st.sampled_from([_as_it_is, *listed]))
    return values


def _worn(value: bytes, disguise: Disguise) -> bytes:
    return disguise(value)


def _as_it_is(value: bytes) -> bytes:
    return value


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _with_field(text: bytes) -> Disguise:
    """A field more, in front of an object's others."""

    def wear(value: bytes) -> bytes:
        inside = value.strip().removeprefix(b"{")
        comma = b"" if inside.strip() == b"}" else b","
        return value if inside == value.strip() else b'{"x":' + text + comma + inside

    return wear


def _in_envelope(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Disguise:
    """A CloudEvents envelope with other data; what is none stays."""

    def wear(value: bytes) -> bytes:
        try:
            root = json.loads(value)
        except ValueError:
            return value
        if not isinstance(root, dict) or not root.keys() >= OF_EVERY_ENVELOPE:
            return value
        return json.dumps(change(root)).encode()

    return wear


def _without_data(root: dict[str, Any]) -> dict[str, Any]:
    return {key: node for key, node in root.items() if key not in ("data", "data_base64")}


def _in_base64(root: dict[str, Any]) -> dict[str, Any]:
    inner = json.dumps(root.get("data")).encode()
    return {**_without_data(root), "data_base64": base64.b64encode(inner).decode()}


DISGUISES: Mapping[ReaderName | str, Sequence[Disguise]] = {
    "byte-order-mark": [lambda value: b"\xef\xbb\xbf" + value],
    "utf-16": [lambda value: _text(value).encode("utf-16"), lambda value: _text(value).encode("utf-16-be")],
    "nan-as-null": [_with_field(b"NaN"), _with_field(b"[-Infinity]")],
    "nan-as-text": [_with_field(b"NaN"), _with_field(b"[-Infinity]")],
    "nan-refused": [_with_field(b"NaN")],
    "lone-surrogates": [_with_field(rb'"\ud83d"')],
    "json-text": [lambda value: json.dumps(_text(value)).encode()],
    "array": [lambda value: b"[" + value + b"]", lambda value: b"[" + value + b", " + value + b"]", lambda _: b"[]"],
    "cloudevents-data": [
        _in_envelope(_in_base64),
        _in_envelope(lambda root: {**root, "data": json.dumps(root.get("data"))}),
    ],
    "cloudevents-array": [_in_envelope(lambda root: {**root, "data": [root.get("data"), root.get("data")]})],
    "cloudevents-empty": [_in_envelope(_without_data), _in_envelope(lambda root: {**root, "data": None})],
}
"""For each reader what it reads. What a function of yours or a chain for envelopes reads nobody here knows."""
