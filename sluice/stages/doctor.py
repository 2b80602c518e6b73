"""Doctor: do bucket, ledger and tables of a dataset agree? It looks, and changes nothing.

The ordinary run repairs what it finds: each finding names the loads to open again (`sluice doctor --repair` does that,
through `reconcile` and `replay`), or says what a person has to do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchTableError

from sluice.contract.keys import is_hidden, nearest, passed_over
from sluice.contract.plan import Plan
from sluice.lake import orphans
from sluice.lake.census import Origin, origins, rejected
from sluice.lake.marks import table_state
from sluice.lake.versions import KeyHistory, Version, list_prefix
from sluice.ledger.model import Lease, Load, load_id
from sluice.ledger.table import Ledger
from sluice.stages.judge import of_data
from sluice.stages.reconcile import differences, is_dead, is_overdue, look

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.table import Table

_SAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. `count` is 0 where all is well; `samples` say which, five at most.

    `loads` are those that repair it when they are loaded again; `remedy` is for what they cannot repair.
    """

    check: str
    count: int = 0
    samples: tuple[str, ...] = ()
    loads: tuple[Load, ...] = ()
    remedy: str = ""
    is_error: bool = True  # else it is only worth knowing

    @property
    def holds(self) -> bool:
        """Whether this is as it should be."""
        return self.count == 0 or not self.is_error


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All that was looked at for one dataset."""

    dataset: str
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether bucket, ledger and tables agree."""
        return all(finding.holds for finding in self.findings)

    @property
    def loads(self) -> tuple[Load, ...]:
        """Loads that repair what can be repaired, each once."""
        return tuple({load.load_id: load for finding in self.findings for load in finding.loads}.values())


@dataclass(frozen=True, kw_only=True)
class DoctorContext:
    """The parts of AWS that are looked at."""

    s3: S3Client
    catalog: GlueCatalog
    ledger: Ledger
    states: SFNClient
    state_machine: str
    raw_bucket: str
    lake_bucket: str
    database: str
    now: datetime
    overdue_seconds: int


@dataclass(frozen=True, kw_only=True)
class _DatasetState:
    """One dataset as bucket, ledger and catalog have it."""

    plan: Plan
    raw_bucket: str
    histories: Mapping[str, KeyHistory]
    counting: Sequence[Version]
    loads: Mapping[str, Load]
    waiting: frozenset[str]
    lease: Lease
    curated: Table | None
    rejects: Table | None
    rows: Mapping[Origin, int] = field(default_factory=dict)
    rejected: Mapping[Origin, int] = field(default_factory=dict)

    def load_of(self, version: Version) -> Load | None:
        return self.loads.get(load_id(self.raw_bucket, version.key, version.version_id))


def examine(plan: Plan, at: DoctorContext) -> Diagnosis:
    """Look at everything of one dataset. What is under way looks like a difference: look again when it is done."""
    everything = list(list_prefix(at.s3, bucket=at.raw_bucket, prefix=f"{plan.dataset}/"))
    histories = {history.key: history for history in of_data(plan, everything)}
    loads = {load.load_id: load for load in at.ledger.loads(plan.dataset)}
    counting = look(plan, everything, loads, raw_bucket=at.raw_bucket)
    curated, rejects = (_table(at, name) for name in (plan.dataset, plan.rejects_table))
    unreadable = [finding for table in (curated, rejects) if table is not None for finding in _files(table, at)]
    readable = all(finding.holds for finding in unreadable)
    state = _DatasetState(
        plan=plan,
        raw_bucket=at.raw_bucket,
        histories=histories,
        counting=counting.shown,
        loads=loads,
        waiting=frozenset(load.load_id for load in at.ledger.pending(plan.dataset)),
        lease=at.ledger.lease(plan.dataset),
        curated=curated,
        rejects=rejects,
        rows=origins(curated) if curated is not None and readable else {},
        rejected=rejected(rejects) if rejects is not None and readable else {},
    )
    return Diagnosis(
        dataset=plan.dataset,
        findings=(
            *_loads(state, at),
            *_lease(state, at),
            *_rows(state),
            *_accounts(state),
            *_contract(state),
            _refused(counting.refused),
            _passed_over(plan, everything),
            *unreadable,
        ),
    )


def _loads(state: _DatasetState, at: DoctorContext) -> Iterator[Finding]:
    keys = {key.key: key for key in at.ledger.objects(state.plan.dataset)}
    there = {(v.key, v.version_id) for history in state.histories.values() for v in history.versions}
    found = list(
        differences(state.plan, state.counting, state.loads, keys, there=there, raw_bucket=state.raw_bucket, now=at.now)
    )
    for kind, check in (
        ("missing", "every version that counts has a load"),
        ("passed_over", "the ledger says that the table shows every version that counts"),
        ("gone", "the table shows no version that was deleted for good"),
    ):
        loads = [load for finding, load in found if finding == kind]
        # `reconcile` opens these itself.
        yield Finding(check=check, count=len(loads), samples=_some(f"{load.key} {load.version_id}" for load in loads))
    waiting = [load for load in state.loads.values() if load.load_id in state.waiting]
    overdue = [load for load in waiting if is_overdue(load, now=at.now, seconds=at.overdue_seconds)]
    yield Finding(
        check="no load has waited for longer than a run lasts",
        count=len(overdue),
        samples=_some(f"{load.key} since {load.registered}, {load.attempts} attempts" for load in overdue),
        remedy="`sluice runs` says why its runs failed",
    )
    yield Finding(
        check="loads under way",
        count=len(waiting),
        samples=_some(load.key for load in waiting),
        is_error=False,
    )
    parked = [load for load in state.loads.values() if load.state == "PARKED"]
    yield Finding(
        check="no load was given up",
        count=len(parked),
        samples=_some(f"{load.key}: {load.reason}" for load in parked),
        remedy=f"repair the cause, then `sluice replay {state.plan.dataset} --state PARKED`",
    )


def _lease(state: _DatasetState, at: DoctorContext) -> Iterator[Finding]:
    lease = state.lease
    dead = lease.run_id is not None and is_dead(lease, states=at.states, state_machine=at.state_machine)
    yield Finding(
        check="whoever holds the lease is alive", count=int(dead), samples=(lease.run_id or "",) if dead else ()
    )
    properties = [table.properties if table is not None else {} for table in (state.curated, state.rejects)]
    ahead = table_state(*properties).fence
    yield Finding(
        check="the ledger knows of every run that the tables know of",
        count=max(0, ahead - lease.fence),
        samples=(f"fence {ahead} in the tables, {lease.fence} in the ledger",) if ahead > lease.fence else (),
    )


def _rows(state: _DatasetState) -> Iterator[Finding]:
    """Rows whose version does not count, and versions that count and are not there."""
    if state.plan.mode == "merge":
        counting = {(v.key, v.version_id) for history in state.histories.values() for v in history.versions}
    else:
        counting = {(version.key, version.version_id) for version in state.counting}
    stray = [origin for origin in state.rows if (origin.key, origin.version_id) not in counting]
    under_way = {state.loads[name].key for name in state.waiting if name in state.loads}
    stray = [origin for origin in stray if origin.key not in under_way]
    yield Finding(
        check="every row comes from a version that counts",
        count=sum(state.rows[origin] for origin in stray),
        samples=_some(f"{origin.key} {origin.version_id}: {state.rows[origin]} rows" for origin in sorted(stray)),
        loads=() if state.plan.mode == "merge" else _loads_of(state, {origin.key for origin in stray}),
        remedy=f"`sluice backfill {state.plan.dataset}`" if state.plan.mode == "merge" else "",
    )


def _accounts(state: _DatasetState) -> Iterator[Finding]:
    """Rows and rejects of each load against its account. In `merge` rows leave when newer ones of their keys come."""
    by_load, rejects_by_load = _by_load(state.rows), _by_load(state.rejected)
    wrong: list[tuple[Load, str]] = []
    for version in state.counting:
        load = state.load_of(version)
        if load is None or load.state != "DONE":
            continue
        there, rejects = by_load.get(load.load_id, 0), rejects_by_load.get(load.load_id, 0)
        counts = load.counts
        if (there != counts.rows_accepted) if state.plan.mode != "merge" else (there > counts.rows_accepted):
            wrong.append((load, f"{load.key}: {there} rows, {counts.rows_accepted} accepted"))
        elif rejects > counts.rows_rejected:  # fewer where rejects were closed
            wrong.append((load, f"{load.key}: {rejects} rejects, {counts.rows_rejected} rejected"))
    yield Finding(
        check="rows and rejects are what the accounts of their loads say",
        count=len(wrong),
        samples=_some(text for _, text in wrong),
        loads=tuple(load for load, _ in wrong),
    )


def _contract(state: _DatasetState) -> Iterator[Finding]:
    plan, table = state.plan, state.curated
    names = set(table.schema().column_names) if table is not None else set()
    lacking = [column.name for column in plan.columns if table is not None and column.name not in names]
    yield Finding(
        check="the table has the contract's columns",
        count=len(lacking),
        samples=_some(lacking),
        remedy="the next run adds them",
        is_error=False,
    )
    older: dict[str, int] = {}
    for origin, rows in state.rows.items():
        if origin.contract != plan.version:
            older[origin.contract] = older.get(origin.contract, 0) + rows
    yield Finding(
        check=f"rows were judged by contract {plan.version}",
        count=sum(older.values()),
        samples=_some(f"{rows} rows by {version}" for version, rows in sorted(older.items())),
        remedy=f"`sluice backfill {plan.dataset}` judges them again",
        is_error=False,
    )


def _refused(versions: Sequence[Version]) -> Finding:
    return Finding(
        check="newer versions that could not be published: the table shows the last that could",
        count=len(versions),
        samples=_some(f"{version.key} {version.version_id}" for version in versions),
        remedy="`sluice rejects` says why; send a readable file, or delete these versions for good",
        is_error=False,
    )


def _passed_over(plan: Plan, everything: Sequence[KeyHistory]) -> Finding:
    """List the newest versions that are no data, but for folders' placeholders."""
    found = [
        f"{history.key}: {why}"
        for history in everything
        if (newest := history.newest) is not None
        and not history.key.endswith("/")
        and (why := passed_over(plan, history.key, size=newest.size)) is not None
    ]
    return Finding(
        check="keys that are passed over",
        count=len(found),
        samples=_some(found),
        remedy="`include` and `exclude` in the contract say which keys are data",
        is_error=False,
    )


def unknown_keys(s3: S3Client, *, bucket: str, datasets: Collection[str]) -> Finding:
    """List the files of the raw bucket that lie in no dataset's folder, each with the name that was perhaps meant.

    Costs one listing of the bucket's top and one page for each foreign folder.
    """
    samples: list[str] = []
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/"):
        keys = [item["Key"] for item in page.get("Contents", [])]
        folders = [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        for folder in folders:
            if folder.rstrip("/") not in datasets and not is_hidden(folder.rstrip("/")):
                listed = s3.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", [])
                keys += [item["Key"] for item in listed]
        for key in keys:
            if not is_hidden(key):
                near = nearest(key.partition("/")[0], datasets)
                samples.append(f"{key}{f': did you mean {near}/?' if near else ''}")
                count += 1
    return Finding(
        check="every file lies in the folder of a dataset",
        count=count,
        samples=_some(samples),
        remedy="move them below `<dataset>/`, add a contract, or delete them",
    )


def _files(table: Table, at: DoctorContext) -> Iterator[Finding]:
    name = table.name()[-1]
    files = orphans.list_files(at.s3, bucket=at.lake_bucket, table=name)
    try:
        names = orphans.named(table)
    except FileNotFoundError as error:
        yield Finding(
            check=f"{name} can be read", count=1, samples=(str(error),), remedy="see docs/runbooks/files-missing.md"
        )
        return
    missing = orphans.missing(names, files, bucket=at.lake_bucket)
    yield Finding(
        check=f"{name} can be read",
        count=len(missing),
        samples=_some(missing),
        remedy="see docs/runbooks/files-missing.md",
    )
    loose = orphans.unnamed(files, names, bucket=at.lake_bucket)
    yield Finding(
        check=f"{name} has no files that nobody names",
        count=len(loose),
        samples=(f"{sum(file.size for file in loose):,} bytes",) if loose else (),
        remedy="maintenance removes them when they are old",
        is_error=False,
    )


def _table(at: DoctorContext, name: str) -> Table | None:
    try:
        return at.catalog.load_table((at.database, name))
    except NoSuchTableError:
        return None


def _by_load(rows: Mapping[Origin, int]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for origin, count in rows.items():
        counts[origin.load_id] = counts.get(origin.load_id, 0) + count
    return counts


def _loads_of(state: _DatasetState, keys: Collection[str]) -> tuple[Load, ...]:
    """Find the loads that put a key right: of the version that counts, else of any that the ledger knows."""
    counting = {version.key: version for version in state.counting}
    found: list[Load] = []
    for key in sorted(keys):
        load = state.load_of(counting[key]) if key in counting else None
        found += [load] if load else [other for other in state.loads.values() if other.key == key][:1]
    return tuple(found)


def _some(texts: Collection[str] | Iterator[str] | Sequence[str]) -> tuple[str, ...]:
    listed = list(texts)
    return (*listed[:_SAMPLES], *((f"and {len(listed) - _SAMPLES} more",) if len(listed) > _SAMPLES else ()))
