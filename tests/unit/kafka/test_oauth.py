"""Tokens from commands: what they may print, and when they are asked again."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest

from worker.kafka.oauth import UNKNOWN_LIFE, CommandTokens, FileTokens, TokenError, parse_answer


def jwt(**claims: float) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{encoded}.signature"


@pytest.mark.parametrize(
    ("text", "token", "life"),
    [
        ("opaque\n", "opaque", UNKNOWN_LIFE),
        ("not.a-jwt.x", "not.a-jwt.x", UNKNOWN_LIFE),
        (jwt(exp=1300), jwt(exp=1300), 300),
        (jwt(exp=10), jwt(exp=10), 0),
        (jwt(iat=1000), jwt(iat=1000), UNKNOWN_LIFE),
        ('{"access_token": "a", "expires_in": 120}', "a", 120),
        (json.dumps({"access_token": jwt(exp=1090)}), jwt(exp=1090), 90),
    ],
)
def test_answers(text: str, token: str, life: float) -> None:
    answer = parse_answer(text, now=1000)
    assert (answer.token, answer.life) == (token, life)


@pytest.mark.parametrize("text", ["{", '{"token": "a"}', '{"access_token": "a", "expires_in": "soon"}'])
def test_answers_that_are_none(text: str) -> None:
    with pytest.raises(TokenError, match="without a usable access_token"):
        parse_answer(text, now=0)


async def test_a_command_is_asked_again_before_the_token_ends(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    script = f"open({str(calls)!r}, 'a').write('x'); print('{{\"access_token\": \"t\", \"expires_in\": 100}}')"
    now = 0.0
    tokens = CommandTokens((sys.executable, "-c", script), clock=lambda: now)
    for seconds, expected in [(0.0, 1), (79.0, 1), (81.0, 2), (100.0, 2)]:
        now = seconds
        assert await tokens.token() == "t"
        assert len(calls.read_text()) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("/no/such/command",), "cannot run /no/such/command: No such file"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "printed no token (exit code 3)"),
        ((sys.executable, "-c", ""), "printed no token"),
    ],
)
async def test_commands_that_fail(command: tuple[str, ...], expected: str) -> None:
    with pytest.raises(TokenError) as caught:
        await CommandTokens(command).token()
    assert expected in str(caught.value)


async def test_a_file_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "token"
    tokens = FileTokens(path)
    with pytest.raises(TokenError, match="No such file"):
        await tokens.token()
    for content in ("first\n", "second"):
        path.write_text(content)
        assert await tokens.token() == content.strip()
