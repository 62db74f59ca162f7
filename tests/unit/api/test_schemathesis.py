"""schemathesis over both OpenAPI documents: whatever is sent, no 500, and answers are as the documents say.

A few requests for each endpoint; `make fuzz WHAT=api` sends thousands.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.core.result import Ok

from tests.limits import HANG
from tests.served_api import AUTHORISED
from worker.api.limits import STREAMS

EXAMPLES = 6


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_every_endpoint_answers_as_described(shared: str, version: str) -> None:
    schema = schemathesis.openapi.from_url(f"http://{shared}/{version}/openapi.json")
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path in STREAMS:
            continue

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def call(case: Case[Any]) -> None:
            case.call_and_validate(headers=AUTHORISED, timeout=HANG)

        call()
