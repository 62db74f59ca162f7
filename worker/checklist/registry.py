"""Which checks give evidence for which line. A part that can prove a line (database rows, the API's versions) adds its
check here; where all checks of a line are silent, the line is "not checked"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worker.checklist import before, database, events, running
from worker.checklist.evidence import Check

CHECKS: Mapping[str, Sequence[Check]] = {
    "release-notes": (),
    "backup": (database.backup_is_whole,),
    "staging": (before.staging_replay,),
    "matrix": (before.compatibility_matrix,),
    "database": (database.schema_and_documents,),
    "data": (events.replays_proved, database.data_as_in_the_backup),
    "configuration": (before.configuration,),
    "api": (running.endpoints,),
    "events": (events.group_in_step,),
    "performance": (running.performance,),
}
