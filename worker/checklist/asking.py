"""The composition of `upcast checklist`: from the settings to the lines."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from worker.checklist.evidence import ChecklistLine, Facts
from worker.checklist.report import check_all
from worker.kafka.clients import KafkaClients
from worker.ledger import MemoryLedger, open_existing_ledger
from worker.routes.chains import load_chains
from worker.settings import HttpSettings, Settings

ANYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  (compared, not bound)


async def ask(
    settings: Settings,
    worker: str | None,
    staging: str | None,
    attested: Mapping[str, str],
    group: str | None = None,
    *,
    alembic: str | None = None,
    backup: str | None = None,
) -> list[ChecklistLine]:
    """The lines of both lists, or of one. Raises WorkerError where configuration, chain or ledger is wrong."""
    ledger = await asyncio.to_thread(open_existing_ledger, settings) or MemoryLedger()
    try:
        facts = Facts(
            settings=settings,
            chains=load_chains(settings.routes, settings.schema_registry),
            clients=KafkaClients(settings.kafka),
            ledger=ledger,
            worker=worker or _address(settings.http),
            staging=staging,
            attested=attested,
            alembic=alembic,
            backup=backup,
        )
        return await check_all(facts, group)
    finally:
        await asyncio.to_thread(ledger.close)


def _address(http: HttpSettings) -> str:
    host = "127.0.0.1" if http.host in ANYWHERE else http.host
    return f"[{host}]:{http.port}" if ":" in host else f"{host}:{http.port}"
