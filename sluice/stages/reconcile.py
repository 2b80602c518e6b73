"""Reconcile: the bucket is the truth, not the event stream. What the ledger does not know of is registered.

It also notices versions that were deleted for good, takes leases back from runs that died without settling, sees a
ledger that has forgotten runs which the tables know of, and wakes what waits. It changes no table: all that it finds
goes through the ordinary run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, assert_never

from sluice import metrics
from sluice.contract.plan import Plan
from sluice.lake.marks import TableState, properties_in_glue, table_state
from sluice.lake.versions import KeyHistory, Version, list_prefix
from sluice.ledger.model import Lease, Load, ObjectState, load_id
from sluice.ledger.table import Ledger
from sluice.metrics import Metric
from sluice.stages.judge import Counting, of_data, weigh
from sluice.stages.run_folder import newest_fence

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

_TURN_SECONDS = 900

# missing: never heard of. passed_over: known, and the table shows another version. gone: the table shows a version
# that was deleted for good.
Finding = Literal["missing", "passed_over", "gone"]


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What was found for one dataset. All zeros is the usual case."""

    dataset: str
    versions: int  # that the table should show
    registered: int  # of which the ledger had never heard
    reopened: int  # that had been passed over or replaced, and count again
    gone: int  # reopened because the table shows them and they were deleted for good
    waiting: int
    overdue: int  # of these, those that have waited longer than the longest run lasts
    parked: int  # gave up on; somebody has to look
    broken_lease: str | None  # run that had died
    forgotten_fence: int | None  # of a run that the tables or its folder know of and the ledger did not
    woken: str | None
    wait_seconds: float = 0.0  # since the oldest of those that wait was registered
    age_seconds: float | None = None  # since data was published last; None before that

    def figures(self, plan: Plan) -> Mapping[Metric, float]:
        """What has to be told of it. The age is nobody's business unless the contract promises a frequency."""
        age = {metrics.AGE_SECONDS: self.age_seconds} if self.age_seconds is not None and plan.frequency_seconds else {}
        return {
            metrics.LOADS_MISSING: self.registered + self.reopened,
            metrics.VERSIONS_GONE: self.gone,
            metrics.LEASES_BROKEN: float(self.broken_lease is not None),
            metrics.FENCES_FORGOTTEN: float(self.forgotten_fence is not None),
            metrics.LOADS_PARKED: self.parked,
            metrics.WAIT_SECONDS: self.wait_seconds,
            **age,
        }


def reconcile(
    plan: Plan,
    *,
    s3: S3Client,
    glue: GlueClient,
    raw_bucket: str,
    lake_bucket: str,
    database: str,
    ledger: Ledger,
    states: SFNClient,
    state_machine: str,
    wake: Callable[[str], Lease],
    now: datetime,
    lease_seconds: int,
) -> Reconciled:
    """Compare one dataset's part of the bucket with the ledger, and set going what is missing."""
    broken = _break_dead_lease(plan.dataset, ledger=ledger, states=states, state_machine=state_machine)
    forgotten, is_asked = _go_beyond(plan, ledger=ledger, s3=s3, lake_bucket=lake_bucket, glue=glue, database=database)
    # The bucket is listed first: what is registered after that is no difference.
    histories = list(list_prefix(s3, bucket=raw_bucket, prefix=f"{plan.dataset}/"))
    known = {load.load_id: load for load in ledger.loads(plan.dataset)}
    counting = look(plan, histories, known, raw_bucket=raw_bucket).shown
    there = versions_of(plan, histories)
    keys = {key.key: key for key in ledger.objects(plan.dataset)}
    done: dict[Finding, int] = {"missing": 0, "passed_over": 0, "gone": 0}
    for finding, load in differences(plan, counting, known, keys, there=there, raw_bucket=raw_bucket, now=now):
        done[finding] += ledger.register(load) if finding == "missing" else ledger.reopen(load)
    waiting = ledger.pending(plan.dataset)
    published = [load.settled for load in known.values() if load.state == "DONE" and load.settled]
    return Reconciled(
        dataset=plan.dataset,
        versions=len(counting),
        registered=done["missing"],
        reopened=done["passed_over"],
        gone=done["gone"],
        waiting=len(waiting),
        overdue=sum(is_overdue(load, now=now, seconds=lease_seconds) for load in waiting),
        parked=sum(load.state == "PARKED" for load in known.values()),
        broken_lease=broken,
        forgotten_fence=forgotten,
        woken=wake(plan.dataset).run_id if waiting or is_asked else None,
        wait_seconds=_seconds_since(min(load.registered for load in waiting), now) if waiting else 0.0,
        age_seconds=_seconds_since(max(published), now) if published else None,
    )


def in_turn(datasets: Sequence[str], now: datetime) -> Sequence[str]:
    """Return the datasets beginning with another one each quarter of an hour.

    One that ends its process (for its memory or time) takes those after it along, and must not take the same each time.
    """
    if not datasets:
        return datasets
    first = int(now.timestamp()) // _TURN_SECONDS % len(datasets)
    return [*datasets[first:], *datasets[:first]]


def look(plan: Plan, histories: Iterable[KeyHistory], known: Mapping[str, Load], *, raw_bucket: str) -> Counting:
    """Say which versions the dataset's tables should show now, as far as the ledger knows what can be published."""

    def is_refused(version: Version) -> bool:
        load = known.get(load_id(raw_bucket, version.key, version.version_id))
        return load is not None and load.state == "REFUSED"

    return weigh(plan, of_data(plan, histories), is_refused)


def differences(
    plan: Plan,
    counting: Sequence[Version],
    known: Mapping[str, Load],
    keys: Mapping[str, ObjectState],
    *,
    there: AbstractSet[tuple[str, str]],
    raw_bucket: str,
    now: datetime,
) -> Iterator[tuple[Finding, Load]]:
    """Tell what a run has to do for the table to show what counts, beyond the loads that wait or are parked.

    `known` are all loads by id, `keys` what the table shows of each key, as far as the ledger knows; `there` are key
    and id of all versions in the bucket.
    """
    shown = _shown(plan, keys)
    for version in counting:
        identity = load_id(raw_bucket, version.key, version.version_id)
        load = known.get(identity)
        if load is None:
            yield "missing", load_of(plan.dataset, version, identity, now)
        elif not is_reflected(plan, version, load, shown.get(version.key)):
            yield "passed_over", load
    counted = {version.key for version in counting}
    for key in shown.values():
        if key.version_id is not None and not (counted if plan.mode == "replace" else key.key in counted):
            load = known.get(load_id(raw_bucket, key.key, key.version_id))
            if load is not None and load.state in {"DONE", "REFUSED"}:
                yield "gone", load
    for load in known.values():
        if load.state == "REFUSED" and (load.key, load.version_id) not in there and _is_told(plan, load, shown):
            yield "gone", load


def is_reflected(plan: Plan, version: Version, load: Load, key: ObjectState | None) -> bool:
    """Tell whether nothing has to be done for a version that counts and whose load is known.

    In `append` and `replace` an older version counts again when the newer is deleted for good. For `merge` every
    version counts for ever.
    """
    if plan.mode == "merge" or load.state in {"PENDING", "PARKED"}:
        return True
    if load.state == "RETRACTED" and not version.is_marker:
        return False  # the contract took the key for no data, or the version was hidden, and now it counts again
    return load.state != "SUPERSEDED" and key is not None and key.version_id == version.version_id


def versions_of(plan: Plan, histories: Iterable[KeyHistory]) -> AbstractSet[tuple[str, str]]:
    """List key and id of all versions in the bucket that are files of the dataset."""
    return {(one.key, one.version_id) for history in of_data(plan, histories) for one in history.versions}


def _is_told(plan: Plan, load: Load, shown: Mapping[str, ObjectState]) -> bool:
    """Tell whether the rejects still have a refused version: those of older runs went with what was shown later."""
    if plan.mode == "merge":
        return False
    state = next(iter(shown.values()), None) if plan.mode == "replace" else shown.get(load.key)
    fence = int((load.run_id or "-0").rpartition("-")[2])
    return state is None or state.fence is None or fence > state.fence


def is_overdue(load: Load, *, now: datetime, seconds: int) -> bool:
    """Tell whether a load that waits has done so for more than `seconds`."""
    return (now - datetime.fromisoformat(load.registered)).total_seconds() > seconds


def _shown(plan: Plan, keys: Mapping[str, ObjectState]) -> Mapping[str, ObjectState]:
    """Say what the table shows of which key: of every key in `append`, of one in `replace`."""
    match plan.mode:
        case "merge":
            return {}
        case "append":
            return keys
        case "replace":
            published = [key for key in keys.values() if key.fence is not None]
            newest = max(published, key=lambda key: (key.fence or 0, key.order or ""), default=None)
            return {newest.key: newest} if newest is not None else {}
        case _:
            assert_never(plan.mode)


def _seconds_since(moment: str, now: datetime) -> float:
    return max((now - datetime.fromisoformat(moment)).total_seconds(), 0.0)


def load_of(dataset: str, version: Version, identity: str, now: datetime) -> Load:
    """Return the load that a version asks for which nobody has registered."""
    return Load(
        load_id=identity,
        dataset=dataset,
        key=version.key,
        version_id=version.version_id,
        kind="delete" if version.is_marker else "put",
        size=version.size,
        registered=now.isoformat(timespec="milliseconds"),
    )


def is_dead(lease: Lease, *, states: SFNClient, state_machine: str) -> bool:
    """Tell whether the run that holds the lease has ended. One that was not started yet is not dead."""
    execution = f"{state_machine.replace(':stateMachine:', ':execution:', 1)}:{lease.run_id}"
    try:
        status = states.describe_execution(executionArn=execution)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return False  # waking starts it
    return status not in {"RUNNING", "PENDING_REDRIVE"}


def _break_dead_lease(dataset: str, *, ledger: Ledger, states: SFNClient, state_machine: str) -> str | None:
    """Take the lease back from a run that has ended; return the run."""
    lease = ledger.lease(dataset)
    if lease.run_id is None or not is_dead(lease, states=states, state_machine=state_machine):
        return None
    return lease.run_id if ledger.release(dataset, run_id=lease.run_id) else None


def _table_state(plan: Plan, *, glue: GlueClient, database: str) -> TableState:
    return table_state(
        *(properties_in_glue(glue, database=database, table=table) for table in (plan.dataset, plan.rejects_table))
    )


def _go_beyond(
    plan: Plan, *, ledger: Ledger, s3: S3Client, lake_bucket: str, glue: GlueClient, database: str
) -> tuple[int | None, bool]:
    """Let fences go on above those that have been used, where the ledger has forgotten some; return the largest.

    Tells as well whether a rebuild is asked for that the tables have not seen. The lease is read first: whoever takes
    it or publishes after that makes `distrust` do nothing.
    """
    lease = ledger.lease(plan.dataset)
    shown = _table_state(plan, glue=glue, database=database)
    newest = max(
        shown.fence,
        newest_fence(s3, bucket=lake_bucket, dataset=plan.dataset, above=lease.fence),
    )
    # While a run has the lease, it is for its claim to see whether the ledger has forgotten the run before it.
    is_behind = newest > lease.fence or (lease.run_id is None and ledger.has_forgotten(lease, shown=shown.fence))
    is_told = is_behind and ledger.distrust(lease, fence=newest)
    return newest if is_told else None, lease.generation > shown.generation
