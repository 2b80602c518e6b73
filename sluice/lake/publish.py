"""The publish loop: how a run's files become visible in a table, at once and once only.

Every change of every table that Sluice owns goes through `commit`; every change by a run goes through `publish`, which
adds the fence. What is to be added and removed is planned by the caller against the table that it is given
(`edits.py` for datasets; the swap of a mart has a plan of its own).

The argument. Let F be the run's fence, and let a commit be one Iceberg commit: new metadata that takes effect by one
`UpdateTable` of Glue under the condition that the table is still at the version that was read.

1. *A commit is atomic.* Files added, files removed and the properties `sluice.fence`, `sluice.run` and
   `sluice.snapshot` are one metadata file. Readers see the old one or the new one.
2. *A commit rests on the snapshot it was planned for.* Each commit adds a snapshot, even an empty one, so Iceberg's
   requirement "the main branch is still at the snapshot that I read" travels with it. All publishes are commits of this
   kind, so whatever the plan saw (the fence, the files to remove) still holds when the commit takes effect.
3. *At most one commit with fence F takes effect.* A commit is only made after reading fence < F. Once one has taken
   effect the fence is F or above, and by (2) no other commit that was planned before can take effect: not a second
   worker's, not a request of ours that was thought lost and arrives late. Later readings show fence >= F and stop.
4. *A stale run changes nothing.* Reading fence > F raises StaleRunError; a newer run that commits after the reading
   is caught by (2).
5. *An unknown outcome is harmless.* A lost response, a timeout, a conflict: none is interpreted. The loop reads the
   table again and finds fence == F (it landed) or not, and then by (3) may try again.
6. *Nothing that may be live is ever deleted.* Each attempt writes files under names of its own, the catalog sends
   each commit once and never lets pyiceberg believe in a failure (`catalog.py`), and this module deletes nothing. What
   failed attempts leave behind is unreferenced, and maintenance removes it after a safe age.

The fence is a table property, so it outlives the expiry of snapshots and is not lost by compaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyiceberg.io.pyarrow import parquet_file_to_data_file

from sluice.errors import StaleRunError, TransientError
from sluice.lake.catalog import is_transient
from sluice.lake.marks import FENCE, FORMAT, RUN, SNAPSHOT, must_know
from sluice.state import FORMATS

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

_ATTEMPTS = 8
_THREADS = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """The edit of one commit: `s3://` addresses of Parquet files that come in, files that go, properties."""

    add: tuple[str, ...] = ()
    remove: tuple[DataFile, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether readers see the same rows before and after."""
        return not self.add and not self.remove


@dataclass(frozen=True, kw_only=True)
class Published:
    """The state of the table. `edit` is the edit that this call committed, None if there was nothing (left) to do.

    `attempts` counts from 1: more of them mean conflicts or lost responses.
    """

    snapshot_id: int | None
    edit: Edit | None
    attempts: int = 1


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """The run on whose behalf a table changes."""

    dataset: str
    run_id: str
    fence: int


def publish(
    catalog: GlueCatalog,
    identifier: tuple[str, str],
    *,
    publisher: Publisher,
    plan: Callable[[Table], Edit],
    sleep: Callable[[float], None],
) -> Published:
    """Apply a run's edit exactly once. `plan` is called for each attempt with the table as it is then.

    Raises StaleRunError if a newer run has published, TransientError if no attempt got through.
    """

    def decide(table: Table) -> Edit | None:
        newest = int(table.properties.get(FENCE, 0))
        if newest > publisher.fence:
            raise StaleRunError(dataset=publisher.dataset, fence=publisher.fence, newest=newest)
        if newest == publisher.fence:
            return None
        edit = plan(table)
        mark = {FENCE: str(publisher.fence), RUN: publisher.run_id}
        return Edit(
            add=edit.add,
            remove=edit.remove,
            properties={**edit.properties, **mark},
            summary={**edit.summary, **mark},
        )

    return commit(catalog, identifier, decide=decide, sleep=sleep)


def commit(
    catalog: GlueCatalog,
    identifier: tuple[str, str],
    *,
    decide: Callable[[Table], Edit | None],
    sleep: Callable[[float], None],
) -> Published:
    """Read the table, ask `decide` for an edit, commit it; on a conflict or an unknown outcome begin anew.

    `decide` must recognise its own earlier effect in the table and answer None then. Its exceptions pass through,
    except outages. Raises TransientError if no attempt got through, NewerStateError before it decides anything.
    """
    for attempt in range(_ATTEMPTS):
        try:
            table = catalog.load_table(identifier)
            must_know(table.properties)
            edit = decide(table)
            if edit is None:
                return Published(snapshot_id=_marked_snapshot(table), edit=None, attempts=attempt + 1)
            return Published(snapshot_id=_commit_once(table, edit), edit=edit, attempts=attempt + 1)
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("publishing %s: attempt %d: %s", identifier[1], attempt + 1, type(error).__name__)
            last = error
        sleep(min(0.1 * 2**attempt, 5.0))
    raise TransientError(f"table {'.'.join(identifier)}: {_ATTEMPTS} attempts to publish failed") from last


def _commit_once(table: Table, edit: Edit) -> int:
    transaction = table.transaction()
    update = transaction.update_snapshot(snapshot_properties=dict(edit.summary))
    producer = update.overwrite() if edit.remove else update.fast_append()
    with ThreadPoolExecutor(_THREADS) as pool:
        # Footers are read here: bounds and partition values come from what the files really hold.
        added = pool.map(lambda uri: parquet_file_to_data_file(table.io, table.metadata, uri), edit.add)
        for data_file in added:
            producer.append_data_file(data_file)
    for data_file in edit.remove:
        producer.delete_data_file(data_file)
    producer.commit()  # stages the snapshot in the transaction; nothing is visible yet
    transaction.set_properties({**edit.properties, SNAPSHOT: str(producer.snapshot_id), FORMAT: str(FORMATS["table"])})
    transaction.commit_transaction()
    return producer.snapshot_id


def _marked_snapshot(table: Table) -> int | None:
    marked = table.properties.get(SNAPSHOT)
    return int(marked) if marked else None
