"""The base of every section of settings, strict about keys, with secrets from files; and the small sections."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, SecretStr, model_validator


class Section(BaseModel):
    """A group of settings. A field ``x_file`` beside a secret ``x`` names the file that holds it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_given(cls, given: Any) -> Any:
        given = parse_text(given)
        return _with_secrets(cls, given) if isinstance(given, Mapping) else given


def parse_text(given: Any) -> Any:
    """An environment variable holds text: JSON or YAML where a list or a mapping is wanted."""
    if not isinstance(given, str):
        return given
    try:
        return yaml.safe_load(given)
    except yaml.YAMLError as error:
        raise ValueError("is neither JSON nor YAML") from error


def _with_secrets(section: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    complete = dict(given)
    for name in section.model_fields:
        path = given.get(f"{name}_file")
        if path is None:
            continue
        if given.get(name) is not None:
            raise ValueError(f"{name} and {name}_file are both given: keep one of them")
        complete[name] = _read_secret(name, path)
    return complete


def read_secret(path: Path) -> str:
    """The file's text without the newline that editors and ``echo`` leave at its end. Raises ``OSError`` and
    ``UnicodeDecodeError``."""
    return Path(path).read_text(encoding="utf-8").rstrip("\r\n")


def _read_secret(name: str, path: Any) -> str:
    try:
        return read_secret(path)
    except (OSError, TypeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ValueError(f"{name}_file: cannot read {path}: {reason}") from error


class HttpSettings(Section):
    host: str = Field("127.0.0.1", description="Address to listen on; `0.0.0.0` for all.")
    port: int = Field(
        8090,
        ge=0,
        le=65535,
        description="Port to listen on (also `DEVTEAM_RUNNER_PORT`); 0 takes a free one.",
    )
    legacy_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="A second port with the same API, for callers that know only the old one (also "
        "`LEGACY_RUNNER_PORT`; it was 8080); off unless it is set.",
    )
    token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer token of requests that change something, 16 characters at least; without one they are off.",
    )
    token_file: Path | None = Field(None, description="File that holds the token.")
    stuck_after: PositiveFloat = Field(
        60, description="Seconds without progress, with records waiting, after which `/livez` fails."
    )
    held_back_after: PositiveFloat = Field(
        60,
        description=(
            "Seconds for which an open transaction of another producer may hold a source back, while more is "
            "written, before `/readyz` fails. Make it longer than the longest transactions of the source's producers."
        ),
    )


SCHEMES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


def _known_database(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(SCHEMES):
        raise ValueError("must be `sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`")
    return url


class LedgerSettings(Section):
    url: Annotated[SecretStr, AfterValidator(_known_database)] = Field(
        SecretStr("sqlite:///upcast-ledger.db"),
        description="Database of runs, receipts and dead-letter summaries: `sqlite:///FILE`, relative to where the "
        "command is run, or `postgresql://USER@HOST/DATABASE` (needs the extra `postgresql`).",
    )
    url_file: Path | None = Field(None, description="File that holds the URL.")


class TracingSettings(Section):
    endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="OTLP over HTTP: where a collector takes traces, such as `http://localhost:4318/v1/traces`; "
        "none means no tracing. Needs the extra `tracing`; the rest is set by OpenTelemetry's own `OTEL_*` variables.",
    )
    sample: float = Field(
        0.01,
        ge=0,
        le=1,
        description=(
            "Share of the transactions to record that have no event with a recorded trace; transactions that have "
            "one are always recorded."
        ),
    )


class ChecklistSettings(Section):
    lag_seconds: PositiveFloat | None = Field(
        None, description="Greatest age of the oldest unread record; none means that it is not checked."
    )
    latency_seconds: PositiveFloat | None = Field(
        None, description="From a record's timestamp to its commit, for 99 % of the records, at most."
    )
    dead_letter_share: float | None = Field(
        None, ge=0, le=1, description="Share of the records that may become dead letters."
    )
    memory_bytes: PositiveFloat | None = Field(None, description="Greatest resident memory of the worker.")
