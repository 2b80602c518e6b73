"""What the ledger remembers, as plain data. No DynamoDB here (see `items.py` for how it is written down)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sluice.prices import Usage

LoadState = Literal["PENDING", "DONE", "REFUSED", "SUPERSEDED", "RETRACTED", "PARKED"]
RunState = Literal["RUNNING", "PUBLISHED", "PARTIAL", "EMPTY", "FAILED", "OVER_BUDGET"]
MartOutcome = Literal["FRESH", "WAITING", "FAILED"]
Kind = Literal["put", "delete"]  # an object version, or a delete marker

# A backfill opens the next generation: the same object version becomes a new load.
FIRST_GENERATION = 0


def load_id(bucket: str, key: str, version_id: str, generation: int = FIRST_GENERATION) -> str:
    """Identity of a load: a function of what is to be loaded, never of a clock or a random number. 32 hex digits."""
    return hashlib.sha256("\n".join([bucket, key, version_id, str(generation)]).encode()).hexdigest()[:32]


def object_id(key: str) -> str:
    """Identity of an object within its dataset: keys may be longer than DynamoDB's sort keys. 32 hex digits."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The account of one load or run: rows_read = rows_accepted + rows_rejected + rows_superseded."""

    rows_read: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    rows_superseded: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            rows_read=self.rows_read + other.rows_read,
            rows_accepted=self.rows_accepted + other.rows_accepted,
            rows_rejected=self.rows_rejected + other.rows_rejected,
            rows_superseded=self.rows_superseded + other.rows_superseded,
        )


@dataclass(frozen=True, kw_only=True)
class Load:
    """The intent to reflect one raw object version (or a delete marker) in its table, and what became of it.

    Times are ISO 8601 texts in UTC. `attempts` counts the runs that claimed it; `reason` says why it was refused or
    parked; `contract` is the version under which it was settled.
    """

    load_id: str
    dataset: str
    key: str
    version_id: str
    kind: Kind = "put"
    generation: int = FIRST_GENERATION
    size: int = 0
    registered: str = ""
    state: LoadState = "PENDING"
    attempts: int = 0
    run_id: str | None = None
    settled: str | None = None
    contract: str | None = None
    reason: str | None = None
    counts: Counts = Counts()


@dataclass(frozen=True, kw_only=True)
class ObjectState:
    """One key of the raw zone: how many loads were ever opened for it, and which version its table reflects.

    `loads == 1` proves that no other load ever put rows of this key into the table. `fence` is that of the run that
    published `version_id`; both are None before the first publish.
    """

    key: str
    loads: int
    version_id: str | None = None
    order: str | None = None
    fence: int | None = None


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who may run for a dataset. `fence` only ever grows; `run_id` is None while nobody holds the lease.

    `until` is in epoch seconds. The item is not called `expires`, because DynamoDB's time to live would delete it and
    with it the fence. `restored` says that the ledger was once found behind the tables: what it counts of a key proves
    nothing about the rows of that key. `generation` is that of the newest rebuild that was asked for: while the tables
    are of an older one, the next run is a rebuild.
    """

    dataset: str
    fence: int
    run_id: str | None = None
    until: int = 0
    restored: bool = False
    generation: int = 0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution for one dataset. `snapshots` maps table names to Iceberg snapshot ids.

    `usage` is what the run was seen to consume up to this record: see `sluice.stages.spending`. `month_usd` spares
    adding up a month of runs for a budget.
    """

    dataset: str
    fence: int
    run_id: str
    state: RunState
    started: str
    finished: str | None = None
    seconds: float = 0.0
    engines: tuple[str, ...] = ()
    groups: int = 0
    failed_groups: int = 0
    loads: int = 0
    counts: Counts = Counts()
    snapshots: tuple[tuple[str, int], ...] = ()
    error: str | None = None
    usage: Usage = field(default_factory=Usage)
    month_usd: float | None = None  # of all runs of the dataset in the month of `started`, this one included


@dataclass(frozen=True, kw_only=True)
class MartState:
    """What became of the last refresh of one mart. Times are ISO 8601 texts in UTC.

    `seen` maps datasets to the fence of the newest run whose publication this mart has answered, well or not.
    `fresh` is when its rows last were brought up to date, `failing` since when refreshes fail; None where not so.
    """

    mart: str
    outcome: MartOutcome
    told: str
    reason: str = ""
    fresh: str | None = None
    failing: str | None = None
    seen: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What a run found out about one of its loads.

    `load` carries the final state. `order` is that of the version, given where it is what the table now reflects of
    the key.
    """

    load: Load
    order: str | None = None
