"""At which version a migration's rows are, as far as the migrations before it have noted that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from worker.database.failures import AtRestError
from worker.database.registry import FORMAT, DocumentSet, Entry
from worker.database.rows import Storage


def settled(connection: Connection, storage: Storage, place: DocumentSet, found: Sequence[Entry]) -> str | None:
    """The version that every row of the place is at; None where nobody has noted it.

    What is noted for the same condition holds, then what is noted for all rows. Raises AtRestError where rows of the
    place are also those of another condition, and that one is at another version.
    """
    here = [entry for entry in found if _is_about(entry, place)]
    same = next((entry for entry in here if entry.place == place), None)
    if same and place.condition:
        return same.settled
    rest = next((entry for entry in here if entry.place == place.whole), None)
    version = rest.settled if rest else None
    for entry in here:
        if entry.settled != version and entry is not rest and _shares(connection, storage, entry):
            others = f"rows where {entry.place.condition}" if entry.place.condition else "rows"
            raise AtRestError(
                f"{place}: upcast_columns knows {others} of {entry.place} at {entry.settled}, and that may be some of "
                f"these, of which it knows {version or 'no version'}: look at which version they are, "
                'and name it: since="…"'
            )
    return version


def _is_about(entry: Entry, place: DocumentSet) -> bool:
    """An entry of an earlier release may be about the table of that name in any schema."""
    theirs = replace(entry.place.whole, schema=place.schema) if entry.format < FORMAT else entry.place.whole
    return theirs == place.whole


def _shares(connection: Connection, storage: Storage, entry: Entry) -> bool:
    """An entry of an earlier release may be about any of the table's rows."""
    return entry.format < FORMAT or storage.shares(connection, entry.place.condition)
