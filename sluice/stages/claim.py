"""Claim: a run fixes what it is going to do, before it does anything. The first claim written is the run's for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from sluice.contract.plan import Plan
from sluice.errors import StaleRunError
from sluice.lake.versions import KeyHistory, Version, list_keys, list_prefix
from sluice.ledger.model import Load, Run, Settlement, load_id
from sluice.ledger.table import Ledger
from sluice.stages.budget import is_stopped
from sluice.stages.environment import StageSettings
from sluice.stages.judge import Counting, choose, judge, of_data, pack, weigh
from sluice.stages.manifest import Claim, ClaimedLoad, Group
from sluice.stages.rebuild import open_all, pack_all
from sluice.stages.run_folder import RunFolder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from sluice.lake.tables import FieldIds


def claim(
    folder: RunFolder,
    *,
    run_id: str,
    plan: Plan,
    s3: S3Client,
    ledger: Ledger,
    settings: StageSettings,
    ensure_tables: Callable[[Plan], FieldIds],
    now: datetime,
) -> Claim:
    """Take pending loads, judge each against the bucket, pack them into groups, and write it all down.

    Raises StaleRunError if the lease has gone to another run, or if the ledger has forgotten runs (it was restored from
    a backup): from then on no key is taken for fresh.
    Attempts are counted before the claim is written, so that no other run can ever take a load that this one may
    publish for a fresh one.
    """
    dataset, fence = folder.dataset, folder.fence
    lease = ledger.lease(dataset)
    if (lease.run_id, lease.fence) != (run_id, fence):
        raise StaleRunError(dataset=dataset, fence=fence, newest=lease.fence)
    tables = ensure_tables(plan)
    written = folder.claim()
    # A claim written under this very lease makes this call a repetition: then the tables may show the fence already.
    is_used = tables.state.fence >= fence if written is None else written.held_until not in {0, lease.until}
    if is_used or (written is None and ledger.has_forgotten(lease, shown=tables.state.fence)):
        # This fence, or the one before it, had a run of which this ledger knows nothing.
        ledger.distrust(lease, fence=tables.state.fence)
        raise StaleRunError(dataset=dataset, fence=fence, newest=max(tables.state.fence, fence))
    if written is not None:
        _record(written, ledger)  # whoever wrote it may have died before that
        return written
    if is_stopped(plan, ledger.runs(dataset), now):
        return _refuse(folder, run_id=run_id, plan=plan, ledger=ledger, now=now)
    generation = lease.generation if lease.generation > tables.state.generation else 0
    if generation:
        everything = list_prefix(s3, bucket=settings.raw_bucket, prefix=f"{plan.dataset}/")
        open_all(plan, list(of_data(plan, everything)), ledger=ledger, raw_bucket=settings.raw_bucket, now=now)
    waiting = [_before(load, run_id) for load in ledger.pending(dataset)]
    if generation and (not waiting or any(load.attempts >= settings.max_attempts for load in waiting)):
        # There is nothing to rebuild from, or it failed too often: go on as if nobody had asked.
        ledger.give_up_generation(dataset, generation)
        generation = 0
    limit = len(waiting) if generation else settings.run_max_loads
    choice = choose(waiting, fence=fence, limit=limit, max_attempts=settings.max_attempts, together=generation > 0)
    _park(choice.exhausted, ledger=ledger, fence=fence, now=now)
    histories = _look(choice.taken, plan=plan, s3=s3, bucket=settings.raw_bucket)
    known = _Known(ledger, plan.dataset, settings.raw_bucket, frozenset(load.load_id for load in waiting))
    counting = weigh(plan, histories.values(), known.is_refused)
    judged = _judge_all(choice.taken, histories, counting, plan=plan, ledger=ledger, restored=lease.restored)
    _tell_again(judged, counting, known, plan=plan, shown=tables.state.order, rebuilds=generation > 0)
    packing = partial(
        pack,
        lambda_max_bytes=settings.lambda_max_bytes,
        group_max_bytes=settings.group_max_bytes,
        group_max_objects=settings.group_max_objects,
    )
    groups = pack_all(judged, packing) if generation else packing(judged)
    packed = {load_id for group in groups for load_id in group.loads}
    doing = [load for load in judged if load.action != "put" or load.load_id in packed]
    attempts = _attempt(doing, choice.taken, ledger=ledger, run_id=run_id)
    draft = Claim(
        dataset=dataset,
        fence=fence,
        run_id=run_id,
        started=now.isoformat(timespec="milliseconds"),
        plan=plan,
        curated_ids=tables.curated,
        rejects_ids=tables.rejects,
        loads=tuple(_counted(load, attempts[load.load_id]) for load in doing if load.load_id in attempts),
        groups=tuple(group for group in (_without_lost(group, attempts) for group in groups) if group.loads),
        held_until=lease.until,
        gone=_gone(plan, histories, tables.state.order),
        generation=generation,
        fallback=_with_older(judged, histories, known, plan=plan) if generation else (),
        refused=tuple(sorted(map(known.load_id, counting.refused))),
    )
    won = folder.write_claim(draft)
    _record(won, ledger)
    return won


def _record(claim: Claim, ledger: Ledger) -> None:
    """Let the ledger know of the run before it can publish: by that it is told whether it has forgotten runs."""
    ledger.record(
        Run(
            dataset=claim.dataset,
            fence=claim.fence,
            run_id=claim.run_id,
            state="RUNNING",
            started=claim.started,
            groups=len(claim.groups),
            loads=len(claim.loads),
        )
    )


def _refuse(folder: RunFolder, *, run_id: str, plan: Plan, ledger: Ledger, now: datetime) -> Claim:
    """Claim nothing, because the budget is spent: the loads keep waiting, none of their attempts is used up."""
    started = now.isoformat(timespec="milliseconds")
    won = folder.write_claim(
        Claim(
            dataset=folder.dataset,
            fence=folder.fence,
            run_id=run_id,
            started=started,
            plan=plan,
            curated_ids={},
            rejects_ids={},
            loads=(),
            groups=(),
            over_budget=True,
        )
    )
    _record(won, ledger)
    return won


def _before(load: Load, run_id: str) -> Load:
    # A claim that is repeated after a crash must judge as the first one did: without its own attempt.
    return replace(load, attempts=load.attempts - 1) if load.run_id == run_id else load


def _without_lost(group: Group, attempts: Mapping[str, int]) -> Group:
    return replace(group, loads=tuple(load_id for load_id in group.loads if load_id in attempts))


def _look(loads: Sequence[Load], *, plan: Plan, s3: S3Client, bucket: str) -> Mapping[str, KeyHistory]:
    """Ask the bucket about the keys of these loads; where the newest of all objects counts, about all keys."""
    if not loads or plan.mode != "replace":
        found = list_keys(s3, bucket=bucket, keys={load.key for load in loads})
        return {history.key: history for history in of_data(plan, found.values())}
    listed = list_prefix(s3, bucket=bucket, prefix=f"{plan.dataset}/")
    return {history.key: history for history in of_data(plan, listed)}


def _judge_all(
    loads: Sequence[Load],
    histories: Mapping[str, KeyHistory],
    counting: Counting,
    *,
    plan: Plan,
    ledger: Ledger,
    restored: bool,
) -> Sequence[ClaimedLoad]:
    versions = {(version.key, version.version_id) for version in counting.shown}
    keys = {version.key for version in counting.shown}
    objects = ledger.object_states(plan.dataset, {load.key for load in loads})
    nothing = KeyHistory(key="", versions=())
    return [
        judge(
            load,
            plan=plan,
            found=histories.get(load.key, nothing).find(load.version_id),
            counts=(load.key, load.version_id) in versions,
            loads_of_key=None if restored else objects[load.key].loads,
            is_replaced=bool(counting.shown) if plan.mode == "replace" else load.key in keys,
        )
        for load in loads
    ]


@dataclass
class _Known:
    """What the ledger remembers of versions that cannot be published; what waits is not known."""

    ledger: Ledger
    dataset: str
    raw_bucket: str
    waiting: frozenset[str]
    loads: dict[str, Load | None] = field(default_factory=dict)

    def load_id(self, version: Version) -> str:
        return load_id(self.raw_bucket, version.key, version.version_id)

    def is_refused(self, version: Version) -> bool:
        name = self.load_id(version)
        if name in self.waiting:
            return False
        if name not in self.loads:
            self.loads[name] = self.ledger.find(self.dataset, name)
        load = self.loads[name]
        return load is not None and load.state == "REFUSED"

    def reopen(self, version: Version) -> None:
        load = self.loads[self.load_id(version)]
        if load is not None:
            self.ledger.reopen(load)


def _with_older(
    judged: Sequence[ClaimedLoad], histories: Mapping[str, KeyHistory], known: _Known, *, plan: Plan
) -> tuple[str, ...]:
    """List the loads in whose place an older version would be shown if they turn out to be refused."""
    found = []
    for load in judged:
        if load.action != "put" or plan.mode == "merge":
            continue
        rivals = histories.values() if plan.mode == "replace" else [histories[load.key]]
        own = (load.key, load.version_id)
        older = weigh(plan, rivals, lambda one, own=own: (one.key, one.version_id) == own or known.is_refused(one))  # type: ignore[misc]
        if any(not version.is_marker for version in older.shown):
            found.append(load.load_id)
    return tuple(found)


def _tell_again(
    judged: Sequence[ClaimedLoad], counting: Counting, known: _Known, *, plan: Plan, shown: str, rebuilds: bool
) -> None:
    """Let refused versions that are newer than what now is shown again wait for the next run: it tells of them anew.

    Their rejects may have left the table with a version that was newer than them and is gone.
    """
    if not counting.refused:
        return
    states = known.ledger.object_states(plan.dataset, {version.key for version in counting.refused})
    put = {load.key: load for load in judged if load.action == "put"}
    emptied = {load.key for load in judged if load.action == "retract" and not load.order}  # nothing is shown any more
    for version in counting.refused:
        if plan.mode == "replace":
            is_back = bool(emptied) or any(load.order != shown for load in put.values())
        else:
            load, state = put.get(version.key), states.get(version.key)
            is_new = load is not None and (state is None or state.version_id != load.version_id)
            is_back = is_new or version.key in emptied
        if rebuilds or is_back:
            known.reopen(version)


def _gone(plan: Plan, histories: Mapping[str, KeyHistory], shown: str) -> str:
    """Return the order that a `replace` table shows if the bucket has no such version (any more), else nothing."""
    if plan.mode != "replace":
        return ""
    orders = {version.order for history in histories.values() for version in history.versions}
    return "" if shown in orders else shown


def _attempt(doing: Sequence[ClaimedLoad], taken: Sequence[Load], *, ledger: Ledger, run_id: str) -> Mapping[str, int]:
    wanted = {load.load_id for load in doing}
    marked = ledger.attempt([load for load in taken if load.load_id in wanted], run_id=run_id)
    return {load.load_id: load.attempts for load in marked}


def _counted(load: ClaimedLoad, attempts: int) -> ClaimedLoad:
    # What was judged fresh is so only if nobody else has counted an attempt in between.
    return replace(load, attempts=attempts, fresh=load.fresh and attempts == 1)


def _park(exhausted: Sequence[Load], *, ledger: Ledger, fence: int, now: datetime) -> None:
    ledger.settle(
        [
            Settlement(
                load=replace(
                    load,
                    state="PARKED",
                    settled=now.isoformat(timespec="milliseconds"),
                    reason=f"{load.attempts} runs with it failed, the last was {load.run_id}",
                )
            )
            for load in exhausted
        ],
        fence=fence,
    )
