"""Where the worker writes down its bounded passes: runs, progress, receipts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from worker.settings.section import Section

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
