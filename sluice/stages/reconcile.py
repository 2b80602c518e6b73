"""Reconcile: the bucket is the truth, not the event stream. What the ledger does not know of is registered.

It also gives back leases of runs that died without settling, and wakes what waits. It changes no table: all that it
finds goes through the ordinary run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sluice.contract.plan import Plan
from sluice.lake.versions import Version, list_prefix
from sluice.ledger.model import Lease, Load, ObjectState, load_id
from sluice.ledger.table import Ledger
from sluice.stages.ingest import is_data_key
from sluice.stages.judge import counting_versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What was found for one dataset. All zeros is the usual case."""

    dataset: str
    versions: int  # that the table should show
    registered: int  # of which the ledger had never heard
    reopened: int  # that had been passed over or replaced, and count again
    waiting: int
    parked: int  # gave up on; somebody has to look
    broken_lease: str | None  # run that had died
    woken: str | None


def reconcile(
    plan: Plan,
    *,
    s3: S3Client,
    raw_bucket: str,
    ledger: Ledger,
    states: SFNClient,
    state_machine: str,
    wake: Callable[[str], Lease],
    now: datetime,
) -> Reconciled:
    """Compare one dataset's part of the bucket with the ledger, and set going what is missing."""
    histories = [
        history for history in list_prefix(s3, bucket=raw_bucket, prefix=f"{plan.dataset}/") if is_data_key(history.key)
    ]
    counting = counting_versions(plan, histories)
    known = {load.load_id: load for load in ledger.loads(plan.dataset)}
    keys = {key.key: key for key in ledger.objects(plan.dataset)}
    registered = reopened = 0
    for load, is_known in _missing(plan, counting, known, keys, raw_bucket=raw_bucket, now=now):
        if is_known:
            reopened += ledger.reopen(load)
        else:
            registered += ledger.register(load)
    broken = _break_dead_lease(plan.dataset, ledger=ledger, states=states, state_machine=state_machine)
    waiting = len(ledger.pending(plan.dataset))
    return Reconciled(
        dataset=plan.dataset,
        versions=len(counting),
        registered=registered,
        reopened=reopened,
        waiting=waiting,
        parked=sum(load.state == "PARKED" for load in known.values()),
        broken_lease=broken,
        woken=wake(plan.dataset).run_id if waiting else None,
    )


def is_reflected(plan: Plan, version: Version, load: Load, key: ObjectState | None) -> bool:
    """Tell whether nothing has to be done for a version that counts and whose load is known.

    Only `append` looks back: of its versions an older one counts again when the newer is deleted for good. A
    `replace` table never goes back (`sluice.order`), and for `merge` every version counts for ever.
    """
    if plan.mode != "append" or load.state in {"PENDING", "PARKED"}:
        return True
    return load.state != "SUPERSEDED" and key is not None and key.version_id == version.version_id


def _missing(
    plan: Plan,
    counting: Sequence[Version],
    known: Mapping[str, Load],
    keys: Mapping[str, ObjectState],
    *,
    raw_bucket: str,
    now: datetime,
) -> Iterator[tuple[Load, bool]]:
    for version in counting:
        identity = load_id(raw_bucket, version.key, version.version_id)
        load = known.get(identity)
        if load is None:
            yield _load_of(plan.dataset, version, identity, now), False
        elif not is_reflected(plan, version, load, keys.get(version.key)):
            yield load, True


def _load_of(dataset: str, version: Version, identity: str, now: datetime) -> Load:
    return Load(
        load_id=identity,
        dataset=dataset,
        key=version.key,
        version_id=version.version_id,
        kind="delete" if version.is_marker else "put",
        size=version.size,
        registered=now.isoformat(timespec="milliseconds"),
    )


def _break_dead_lease(dataset: str, *, ledger: Ledger, states: SFNClient, state_machine: str) -> str | None:
    lease = ledger.lease(dataset)
    if lease.run_id is None:
        return None
    execution = f"{state_machine.replace(':stateMachine:', ':execution:', 1)}:{lease.run_id}"
    try:
        status = states.describe_execution(executionArn=execution)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return None  # taken and not started yet: waking starts it
    if status in {"RUNNING", "PENDING_REDRIVE"}:
        return None
    return lease.run_id if ledger.release(dataset, run_id=lease.run_id) else None
