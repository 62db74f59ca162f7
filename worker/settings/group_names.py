"""Names of the consumer groups of replays and redrives, which are derived from the worker's and reserved.

Group names are also the beginning of transactional ids: two passes under one name would fence each other.
"""

from __future__ import annotations

import re

REPLAY = "-replay-"
REDRIVE = "-redrive-"
REPLAY_ID = "[0-9a-f]{12}"


def replay_group(group: str, replay_id: str) -> str:
    """The group of a replay beside a worker's ``group``."""
    return f"{group}{REPLAY}{replay_id}"


def redrive_group(group: str, source: str) -> str:
    """The group of all redrives of the route with this source, beside a worker's ``group``."""
    return f"{group}{REDRIVE}{source}"


def live_group(name: str, replay_id: str) -> str:
    """The worker's group, of which ``name`` may be the group of this replay."""
    return name.removesuffix(f"{REPLAY}{replay_id}")


def replays_of(group: str) -> str:
    """How the names of all groups of replays beside ``group`` begin."""
    return f"{group}{REPLAY}"


def replay_id_in(name: str, group: str) -> str | None:
    """The id of the replay beside ``group`` that a group's name tells; None where it is no such name."""
    found = re.fullmatch(f"{re.escape(replays_of(group))}({REPLAY_ID})", name)
    return found[1] if found else None


def refuse_reserved(group: str) -> str:
    """Raises ValueError for a name that could be that of a replay's or redrive's group beside another worker's."""
    if re.search(f"{REPLAY}{REPLAY_ID}$", group):
        raise ValueError(
            f"must not end with `{REPLAY}` and twelve hex digits, which are reserved for replays: choose another name"
        )
    # The hyphen behind it: `a-redrive` beside a route `b` is `a` beside a route `redrive-b`.
    if REDRIVE in f"{group}-":
        raise ValueError(
            f"must not contain `{REDRIVE}` or end with `{REDRIVE.rstrip('-')}`, which are reserved for redrives: "
            "choose another name"
        )
    return group
