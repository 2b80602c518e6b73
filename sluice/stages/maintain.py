"""Maintain: a table stays quick to read and pays for no file that nobody needs. Nothing of it changes a row.

For one table, one after the other: compaction, expiry of snapshots, removal of orphans. Why none of them can lose or
double a row, or break a reader, is argued where each is: `sluice.lake.compaction`, `expiry`, `orphans`.

A mart is written anew as a whole by each refresh: it has nothing to compact. Tables that Athena made for a refresh that
came to nothing are forgotten here.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchTableError

from sluice import metrics
from sluice.contract.plan import Plan
from sluice.contract.types import duckdb_type
from sluice.kernel.layout.compact import compact
from sluice.kernel.outcome import Limits
from sluice.lake import compaction, expiry, orphans
from sluice.lake.marks import FENCE, must_know
from sluice.lake.objects import fetch, get_json, put_file
from sluice.lake.publish import commit
from sluice.locations import RUNS
from sluice.metrics import Metric
from sluice.stages.refresh import temporary_table

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.table import Table

_THREADS = 8
_RESERVE = 60.0  # seconds that the last step of a pass may take
_MOST_SIGHTINGS = 100_000


@dataclass(frozen=True, kw_only=True)
class MaintenanceTarget:
    """One table to maintain. `order` are the columns that its rows are sorted by; without any it is not compacted.

    `dataset` is the one whose runs write it; None for a mart.
    """

    table: str
    dataset: str | None = None
    order: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long things are kept, and what is small."""

    snapshots: timedelta
    orphans: timedelta
    grace: timedelta = timedelta(hours=20)  # a day between two daily passes, more or less
    sizes: compaction.FileSizes = field(default_factory=compaction.FileSizes)


@dataclass(frozen=True, kw_only=True)
class Maintained:
    """What one pass over one table did. Bytes are compressed bytes as they lie in S3."""

    table: str
    compacted_files: int = 0
    compacted_into: int = 0
    compacted_bytes: int = 0
    expired_snapshots: int = 0
    forgotten_tables: int = 0
    removed_files: int = 0
    removed_bytes: int = 0
    orphan_files: int = 0  # known and left for now
    orphan_bytes: int = 0
    missing_files: int = 0  # that the table names and that are not there: somebody has to look
    out_of_time: bool = False

    def figures(self) -> Mapping[Metric, float]:
        """What has to be told of it."""
        return {
            metrics.FILES_COMPACTED: self.compacted_files,
            metrics.SNAPSHOTS_EXPIRED: self.expired_snapshots,
            metrics.ORPHANS_REMOVED: self.removed_files,
            metrics.FILES_MISSING: self.missing_files,
        }


@dataclass(frozen=True, kw_only=True)
class MaintenanceContext:
    """The parts of AWS and the time that a pass may use. `remaining` counts down in seconds."""

    catalog: GlueCatalog
    s3: S3Client
    database: str
    lake_bucket: str
    scratch: Path
    limits: Limits
    retention: Retention
    now: datetime
    remaining: Callable[[], float]
    sleep: Callable[[float], None]

    def has_time(self) -> bool:
        """Whether another step may begin."""
        return self.remaining() > _RESERVE


def targets(plans: Mapping[str, Plan], marts: Sequence[str]) -> Sequence[MaintenanceTarget]:
    """List the tables of a project."""
    found: list[MaintenanceTarget] = []
    for plan in plans.values():
        # What runs ask for: the files that may hold an object, or a key.
        order = plan.primary_key if plan.mode == "merge" else ("_sluice_object", "_sluice_row")
        found.append(MaintenanceTarget(table=plan.dataset, dataset=plan.dataset, order=order))
        found.append(
            MaintenanceTarget(
                table=plan.rejects_table, dataset=plan.dataset, order=("object", "load_id", "row_number", "ordinal")
            )
        )
    return [*found, *(MaintenanceTarget(table=mart) for mart in marts)]


def maintain(target: MaintenanceTarget, at: MaintenanceContext) -> Maintained:
    """Do one pass over a table; without effect where it does not exist yet. Safe beside itself and beside runs.

    Raises NewerStateError for a table that a newer release wrote.
    """
    forgotten, waiting = _forget_temporaries(target, at) if target.dataset is None else (0, frozenset())
    try:
        table = at.catalog.load_table((at.database, target.table))
    except NoSuchTableError:
        return Maintained(table=target.table, forgotten_tables=forgotten)
    must_know(table.properties)
    # Also while a run is under way: a dataset that is never quiet needs it most, and the commit gives way to the run's.
    done = _compact(table, target, at) if target.order else []
    table.refresh()
    expired = expiry.expire(at.catalog, table, before=at.now - at.retention.snapshots)
    removed, left, missing = _remove_orphans(target, at, waiting)
    return Maintained(
        table=target.table,
        compacted_files=sum(len(one.bin.files) for one in done),
        compacted_into=len(done),
        compacted_bytes=sum(one.bin.bytes for one in done),
        expired_snapshots=expired,
        forgotten_tables=forgotten,
        removed_files=len(removed),
        removed_bytes=sum(file.size for file in removed),
        orphan_files=len(left),
        orphan_bytes=sum(file.size for file in left),
        missing_files=missing,
        out_of_time=not at.has_time(),
    )


def _compact(table: Table, target: MaintenanceTarget, at: MaintenanceContext) -> Sequence[compaction.Compacted]:
    snapshot = table.current_snapshot()
    columns = _columns(table)
    if snapshot is None or columns is None:
        return []
    done: list[compaction.Compacted] = []
    for one in compaction.bins(table, order=target.order[0], sizes=at.retention.sizes):
        if not at.has_time():
            break
        done.append(
            _merged(one, table, target, columns, at, folder=compaction.folder(target.table, snapshot.snapshot_id))
        )
    if not done:
        return []
    published = commit(
        at.catalog, (at.database, target.table), decide=lambda now: compaction.edit(now, done), sleep=at.sleep
    )
    added = frozenset(published.edit.add if published.edit else ())
    return [one for one in done if one.uri in added]


def _merged(
    one: compaction.Bin,
    table: Table,
    target: MaintenanceTarget,
    columns: Mapping[str, str],
    at: MaintenanceContext,
    *,
    folder: str,
) -> compaction.Compacted:
    with tempfile.TemporaryDirectory(dir=at.scratch) as name:
        incoming = Path(name) / "in"
        incoming.mkdir()
        paths = [incoming / f"{number:06d}.parquet" for number in range(len(one.files))]
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda uri, path: fetch(at.s3, uri, path), one.files, paths))
        path = compact(
            paths,
            columns=columns,
            field_ids={column.name: column.field_id for column in table.schema().fields},
            order=target.order,
            out=Path(name) / "out",
            limits=at.limits,
        )
        uri = put_file(at.s3, bucket=at.lake_bucket, folder=folder, path=path, suffix=".parquet")
    return compaction.Compacted(bin=one, uri=uri)


def _columns(table: Table) -> Mapping[str, str] | None:
    """Return the columns by name and DuckDB type; None where one is nested, which the kernel does not rewrite."""
    if not all(column.field_type.is_primitive for column in table.schema().fields):
        return None
    return {column.name: duckdb_type(str(column.field_type)) for column in table.schema().fields}


def _remove_orphans(
    target: MaintenanceTarget, at: MaintenanceContext, waiting: frozenset[str]
) -> tuple[Sequence[orphans.StoredObject], Sequence[orphans.StoredObject], int]:
    """Remove what may go; return it, what is left of the unnamed files, and how many named ones are missing."""
    files = orphans.list_files(at.s3, bucket=at.lake_bucket, table=target.table)
    table = at.catalog.load_table((at.database, target.table))  # after the listing: see there
    names = orphans.named(table)
    snapshot, fence = table.current_snapshot(), int(table.properties.get(FENCE, 0))

    def is_wanted(folder: str) -> bool:
        return (
            folder in waiting
            or compaction.is_of(folder, snapshot.snapshot_id if snapshot else None)
            or (target.dataset is not None and orphans.is_of_open_run(folder, dataset=target.dataset, fence=fence))
        )

    loose = orphans.unnamed(files, names, bucket=at.lake_bucket)
    seen = _sighted(target, loose, at)
    patience = orphans.Patience(age=at.retention.orphans, grace=at.retention.grace)
    going = orphans.removable(loose, seen, now=at.now, patience=patience, is_wanted=is_wanted)
    removed = list(orphans.remove(at.s3, going, bucket=at.lake_bucket, has_time=at.has_time))
    gone = {file.key for file in removed}
    left = [file for file in loose if file.key not in gone]
    return removed, left, len(orphans.missing(names, files, bucket=at.lake_bucket))


def _sighted(
    target: MaintenanceTarget, loose: Sequence[orphans.StoredObject], at: MaintenanceContext
) -> Mapping[str, datetime]:
    """Read when each of these files was first seen unnamed, and remember those that are new."""
    key = f"{RUNS}.maintain/{target.table}.json"
    before = get_json(at.s3, bucket=at.lake_bucket, key=key) or {}
    said = {file.key: str(before.get(file.key, at.now.isoformat())) for file in loose[:_MOST_SIGHTINGS]}
    at.s3.put_object(
        Bucket=at.lake_bucket, Key=key, Body=json.dumps(said, sort_keys=True).encode(), ContentType="application/json"
    )
    return {name: datetime.fromisoformat(when) for name, when in said.items()}


def _forget_temporaries(target: MaintenanceTarget, at: MaintenanceContext) -> tuple[int, frozenset[str]]:
    """Drop the catalog entries of tables that Athena made for this mart and nobody took; their files go a pass later.

    Returns how many, and the folders of all that were there.
    """
    prefix = temporary_table(target.table, "")
    tables = [
        entry
        for page in at.catalog.glue.get_paginator("get_tables").paginate(DatabaseName=at.database)
        for entry in page["TableList"]
        if entry["Name"].startswith(prefix)
    ]
    old = [entry for entry in tables if entry["CreateTime"] <= at.now - at.retention.orphans]
    for entry in old:
        try:
            at.catalog.glue.delete_table(DatabaseName=at.database, Name=entry["Name"])
        except at.catalog.glue.exceptions.EntityNotFoundException:
            continue
    return len(old), frozenset(entry["Name"].removeprefix(prefix) for entry in tables)
