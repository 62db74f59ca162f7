"""Whatever stands in a file or in the environment: settings, or a line that says what is wrong; and a file that was
migrated says the same as before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.errors import WorkerError
from worker.settings import Settings
from worker.settings.load import load
from worker.settings.migration import migrate

NAMES = (
    *("brokers", "group", "compression", "port", "mode", "input_topic", "event", "pipeline", "pipelines", "routes"),
    *(
        "kafka",
        "http",
        "input",
        "output",
        "source",
        "destination",
        "delivery",
        "group_id",
        "token",
        "version",
        "0",
        "x",
    ),
)
WORDS = ("exactly_once", "uncompressed", "dlq", "legacy", "a:1", "", "[", "{", "{a: 1}", "[1, {input: a}]", "null")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.dates()
FLAT = {"brokers": "a:1", "group": "g", "input_topic": "a", "output_topic": "b"}
KEYS = st.sampled_from(NAMES) | st.integers()
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.integers(), inner, max_size=4)
    ),
    max_leaves=8,
)
VARIABLES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(
    lambda parts: "UPCAST_" + "__".join(parts).upper()
)
TRIES = settings(
    max_examples=50, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@TRIES
@given(st.dictionaries(st.sampled_from(NAMES), DOCUMENTS, max_size=5), st.booleans())
def test_any_file(document: dict[str, Any], flow: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "upcast.yaml"
        file.write_text(yaml.safe_dump({**FLAT, **document}, default_flow_style=flow, sort_keys=False))
        before = outcome(file)
        try:
            file.write_text(migrate(file).new)
        except WorkerError:
            return
        assert outcome(file) == before


def outcome(file: Path) -> Settings | str:
    """Settings, or that there are none; anything but a WorkerError is a fault of ours."""
    try:
        return load(file).settings
    except WorkerError:
        return "wrong"


@TRIES
@given(st.dictionaries(VARIABLES, st.sampled_from(WORDS), max_size=5))
def test_any_environment(variables: dict[str, str]) -> None:
    text = "kafka: {bootstrap_servers: 'a:1', group_id: g}\nroutes: [{source: a, destination: b}]\n"
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, variables):
        file = Path(folder) / "upcast.yaml"
        file.write_text(text)
        outcome(file)
