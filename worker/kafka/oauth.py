"""OAUTHBEARER tokens from a file or a command, renewed before they expire."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError

from worker.settings import KafkaSettings

COMMAND_TIMEOUT = 20.0
# Tokens that do not say when they end are kept for so long, which spares a command at every reconnect.
UNKNOWN_LIFE = 60.0
# A token is given up when this share of its life has passed, so that it outlives the connection's start.
SHARE_USED = 0.8

Clock = Callable[[], float]


class TokenError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """A token could not be obtained. A ``KafkaError``, so that a running client tries again, as for a lost broker."""


class FileTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Reads the token from a file that another program renews (a Kubernetes projected token, an agent)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise TokenError(f"kafka.sasl_oauth_token_file: cannot read {self._path}: {error.strerror}") from None


class CommandTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka has no types
    """Runs the command at the first connection, and again once most of the token's life has passed."""

    def __init__(self, command: tuple[str, ...], clock: Clock = time.time) -> None:
        self._command = command
        self._clock = clock
        self._token = ""
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        async with self._lock:
            if self._clock() >= self._renew_at:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        answer = parse_answer(await _run(self._command), self._clock())
        self._token = answer.token
        self._renew_at = self._clock() + answer.life * SHARE_USED


@dataclass(frozen=True)
class TokenAnswer:
    """A token and its remaining life in seconds."""

    token: str
    life: float


def parse_answer(text: str, now: float) -> TokenAnswer:
    """A bare token, or the JSON object that OAuth servers answer with (RFC 6749, 5.1)."""
    text = text.strip()
    if not text.startswith("{"):
        return TokenAnswer(text, _life_of_jwt(text, now))
    try:
        answer = json.loads(text)
        token = str(answer["access_token"])
        return TokenAnswer(token, float(answer.get("expires_in") or _life_of_jwt(token, now)))
    except (ValueError, KeyError, TypeError):
        raise TokenError(
            "kafka.sasl_oauth_token_command: the command prints JSON without a usable access_token and expires_in"
        ) from None


def _life_of_jwt(token: str, now: float) -> float:
    """Until the ``exp`` claim of a JWT; its signature is the broker's business."""
    try:
        claims = token.split(".")[1]
        padded = claims + "=" * (-len(claims) % 4)
        return max(0.0, float(json.loads(base64.urlsafe_b64decode(padded))["exp"]) - now)
    except (IndexError, KeyError, TypeError, ValueError):
        return UNKNOWN_LIFE


async def _run(command: tuple[str, ...]) -> str:
    """The standard output of the command, which is never shown; its standard error is the worker's."""
    name = command[0]
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise TokenError(f"kafka.sasl_oauth_token_command: cannot run {name}: {error.strerror}") from None
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), COMMAND_TIMEOUT)
    except TimeoutError:
        process.kill()
        raise TokenError(
            f"kafka.sasl_oauth_token_command: {name} has not answered in {COMMAND_TIMEOUT:.0f} s"
        ) from None
    if process.returncode != 0 or not printed.strip():
        raise TokenError(
            f"kafka.sasl_oauth_token_command: {name} printed no token (exit code {process.returncode}): "
            "run it by hand to see why"
        )
    return printed.decode("utf-8", "replace")


def token_provider(kafka: KafkaSettings) -> AbstractTokenProvider | None:
    """The provider that the settings ask for."""
    if kafka.sasl_oauth_token_file:
        return FileTokens(kafka.sasl_oauth_token_file)
    if kafka.sasl_oauth_token_command:
        return CommandTokens(kafka.sasl_oauth_token_command)
    return None
