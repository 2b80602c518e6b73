"""Every metric that Sluice emits: its name, its unit, who emits it and when. Pure data, for alarms and dashboard too.

All have the dimensions `stage` and, where a dataset is concerned, also the pair `dataset`, `stage`. A metric costs
money for each hour in which it is emitted, so what is `rare` is told only when there is something to tell: no data
means nothing to report. Values are counts, seconds, shares and dollars: never anything out of a row, a key or a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["Count", "Seconds", "None"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of one stage."""

    name: str
    unit: Unit
    stage: str
    meaning: str
    per_dataset: bool = True
    rare: bool = False


def namespace(environment: str) -> str:
    """The CloudWatch namespace of an environment."""
    return f"Sluice/{environment}"


LOADS_REGISTERED = Metric(
    name="LoadsRegistered", unit="Count", stage="ingest", per_dataset=False, meaning="object versions seen first"
)
UNKNOWN_KEYS = Metric(
    name="UnknownKeys", unit="Count", stage="ingest", per_dataset=False, rare=True, meaning="keys outside all datasets"
)
KEYS_PASSED_OVER = Metric(
    name="KeysPassedOver",
    unit="Count",
    stage="ingest",
    per_dataset=False,
    rare=True,
    meaning="keys that are no data: hidden names, markers, what a contract excludes",
)
MALFORMED_EVENTS = Metric(
    name="MalformedEvents",
    unit="Count",
    stage="ingest",
    per_dataset=False,
    rare=True,
    meaning="messages that are no S3 event, at each of their deliveries",
)
OVER_BUDGET = Metric(
    name="OverBudget", unit="Count", stage="settle", rare=True, meaning="runs refused because the budget is spent"
)
BUDGET_SHARE = Metric(
    name="BudgetShare", unit="None", stage="settle", meaning="spent this month / budget, where a contract has one"
)
ROWS_READ = Metric(name="RowsRead", unit="Count", stage="settle", meaning="rows read by the run")
ROWS_ACCEPTED = Metric(name="RowsAccepted", unit="Count", stage="settle", meaning="rows that went into the table")
ROWS_REJECTED = Metric(name="RowsRejected", unit="Count", stage="settle", meaning="rows that broke the contract")
ROWS_SUPERSEDED = Metric(
    name="RowsSuperseded", unit="Count", stage="settle", rare=True, meaning="rows with a newer row of their key"
)
REJECT_SHARE = Metric(name="RejectShare", unit="None", stage="settle", meaning="rejected / read, 0 to 1")
OBJECTS_REFUSED = Metric(
    name="ObjectsRefused", unit="Count", stage="settle", rare=True, meaning="objects that could not be read at all"
)
OBJECTS_HELD_BACK = Metric(
    name="ObjectsHeldBack", unit="Count", stage="settle", rare=True, meaning="objects too bad to publish, rejects kept"
)
WARNINGS = Metric(
    name="Warnings", unit="Count", stage="settle", rare=True, meaning="rows and objects that break what only warns"
)
RUN_SECONDS = Metric(name="RunSeconds", unit="Seconds", stage="settle", meaning="from claim to settle")
LAG_SECONDS = Metric(
    name="LagSeconds", unit="Seconds", stage="settle", meaning="from an object's time to its publication, the longest"
)
COMMIT_CONFLICTS = Metric(
    name="CommitConflicts",
    unit="Count",
    stage="settle",
    rare=True,
    meaning="attempts to publish that had to be repeated",
)
COMMIT_ATTEMPTS = Metric(name="CommitAttempts", unit="Count", stage="settle", meaning="attempts to publish")
VOLUME_RATIO = Metric(
    name="VolumeRatio",
    unit="None",
    stage="settle",
    meaning="rows an object against the median of the runs before: how many times more or less, 1 and above",
)
DOLLARS = Metric(name="Dollars", unit="None", stage="settle", meaning="what the run cost, estimated at list prices")
FAILED_RUNS = Metric(
    name="FailedRuns", unit="Count", stage="settle", rare=True, meaning="runs that failed, wholly or in part"
)
LOADS_MISSING = Metric(
    name="LoadsMissing", unit="Count", stage="reconcile", rare=True, meaning="object versions that no event told of"
)
VERSIONS_GONE = Metric(
    name="VersionsGone", unit="Count", stage="reconcile", rare=True, meaning="published versions deleted for good"
)
FENCES_FORGOTTEN = Metric(
    name="FencesForgotten", unit="Count", stage="reconcile", rare=True, meaning="datasets whose ledger lost runs"
)
LEASES_BROKEN = Metric(
    name="LeasesBroken", unit="Count", stage="reconcile", rare=True, meaning="runs that ended without settling"
)
LOADS_PARKED = Metric(
    name="LoadsParked", unit="Count", stage="reconcile", rare=True, meaning="loads given up, as long as they are"
)
WAIT_SECONDS = Metric(
    name="WaitSeconds", unit="Seconds", stage="reconcile", rare=True, meaning="age of the oldest load that waits"
)
AGE_SECONDS = Metric(
    name="AgeSeconds",
    unit="Seconds",
    stage="reconcile",
    meaning="since the newest data was published, where a contract promises a frequency",
)
FILES_COMPACTED = Metric(
    name="FilesCompacted", unit="Count", stage="maintain", per_dataset=False, rare=True, meaning="small files merged"
)
SNAPSHOTS_EXPIRED = Metric(
    name="SnapshotsExpired", unit="Count", stage="maintain", per_dataset=False, rare=True, meaning="snapshots forgotten"
)
ORPHANS_REMOVED = Metric(
    name="OrphansRemoved", unit="Count", stage="maintain", per_dataset=False, rare=True, meaning="files nobody names"
)
FILES_MISSING = Metric(
    name="FilesMissing",
    unit="Count",
    stage="maintain",
    per_dataset=False,
    rare=True,
    meaning="files that a table names and that are not there",
)
MART_DOLLARS = Metric(
    name="Dollars", unit="None", stage="refresh", per_dataset=False, meaning="what a step of a mart cost, with its scan"
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
