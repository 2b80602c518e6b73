"""Which snapshots of a table are forgotten, and forgetting them. Their files are removed later, by `orphans.py`.

The argument. Forgetting a snapshot deletes nothing; it lets files become orphans. Three things may still want one:

1. *Readers* that began while it was the newest. Age is therefore counted from the moment when a snapshot was replaced,
   not from when it was made: the snapshot that was the newest until a minute ago is a minute old.
2. *A mart's query* that was pinned to it, in an execution that somebody redrives. AWS redrives for 14 days, and the
   settings keep snapshots for longer than that.
3. *The marks of runs.* They are properties of the table, not of snapshots: a run that comes back from the dead finds
   the fence however old the last commit is.

The newest snapshot, and those that a branch or tag names, are never forgotten. The commit is made once, under the
condition that the newest one is still the one that was read; a conflict is left to the next pass.
"""

from __future__ import annotations

import logging
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from pyiceberg.table.update import AssertRefSnapshotId, AssertTableUUID, RemoveSnapshotsUpdate

from sluice.lake.catalog import is_transient

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata

_log = logging.getLogger(__name__)


def expired(metadata: TableMetadata, *, before: datetime) -> tuple[int, ...]:
    """List the snapshots that were replaced before `before` and that nothing names."""
    kept = {ref.snapshot_id for ref in metadata.refs.values()} | {metadata.current_snapshot_id}
    replaced = {one.snapshot_id: after.timestamp_ms for one, after in pairwise(metadata.snapshot_log)}
    limit = int(before.timestamp() * 1000)
    return tuple(
        snapshot.snapshot_id
        for snapshot in metadata.snapshots
        if snapshot.snapshot_id not in kept and replaced.get(snapshot.snapshot_id, snapshot.timestamp_ms) < limit
    )


def expire(catalog: GlueCatalog, table: Table, *, before: datetime) -> int:
    """Forget expired snapshots in one commit, and say how many; 0 as well if somebody else was faster."""
    found = expired(table.metadata, before=before)
    if not found:
        return 0
    requirements = (
        AssertTableUUID(uuid=table.metadata.table_uuid),
        AssertRefSnapshotId(ref="main", snapshot_id=table.metadata.current_snapshot_id),  # type: ignore[call-arg]
    )
    updates = (RemoveSnapshotsUpdate(snapshot_ids=list(found)),)  # type: ignore[call-arg]
    try:
        catalog.commit_table(table, requirements, updates)
    except Exception as error:
        if not is_transient(error):
            raise
        _log.warning("expiring snapshots of %s: %s", table.name()[-1], type(error).__name__)
        return 0
    return len(found)
