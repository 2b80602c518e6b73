"""Settle: the ledger learns what the run has done, the world is told, the lease is given back, the next run is woken.

What has happened is read from the run's folder, not taken from the caller: a run whose tables were published is settled
as published, even if the state machine thinks that it failed afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Literal

from sluice.contract.plan import Plan
from sluice.errors import TransientError
from sluice.kernel.outcome import RejectCount
from sluice.ledger.model import Counts, Lease, Load, LoadState, Run, RunState, Settlement
from sluice.ledger.table import Ledger
from sluice.metrics import Metric
from sluice.prices import Usage, total
from sluice.stages.budget import spent_this_month
from sluice.stages.failure import causes
from sluice.stages.figures import HISTORY, figures_of, transitions
from sluice.stages.holding import held_back, warned
from sluice.stages.manifest import Claim, ClaimedLoad, GroupResult, Publication, counts_of
from sluice.stages.run_folder import RunFolder

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_LONGEST_ERROR = 1000
_AT_ONCE = 1  # failures after which a load of a run that published does not wait


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What a run came to."""

    state: RunState
    failed_groups: int
    counts: Counts
    next_run: str | None
    loads: tuple[Load, ...] = ()  # as they were settled
    figures: Mapping[Metric, float] = field(default_factory=dict)
    warnings: tuple[tuple[str, RejectCount], ...] = ()  # with the load ids


@dataclass(frozen=True, kw_only=True)
class _Result:
    state: RunState
    settlements: tuple[Settlement, ...] = ()
    groups: tuple[GroupResult, ...] = ()
    failed_groups: int = 0
    publication: Publication | None = None
    error: str | None = None  # why groups failed

    @property
    def counts(self) -> Counts:
        return sum((settlement.load.counts for settlement in self.settlements), Counts())


def settle(
    folder: RunFolder,
    *,
    run_id: str,
    outcome: Literal["published", "failed"],
    error: str | None,
    ledger: Ledger,
    events: EventBridgeClient,
    database: str,
    wake: Callable[[str], Lease],
    now: datetime,
    spent: Callable[[], Usage] = Usage,
) -> Settled:
    """Settle a run; repeating it changes nothing but tells the world once more. `spent` is asked as late as can be.

    Order matters: what the run did, then the lease, then the look for pending loads. A load that is registered before
    that look is found by it, one that is registered after it finds the lease free.
    """
    claim = folder.claim()
    result = _result(folder, claim, outcome=outcome, now=now)
    ledger.settle(result.settlements, fence=folder.fence)
    steps = transitions(
        claim, failed=result.publication is None and result.state == "FAILED", failed_groups=result.failed_groups
    )
    run = replace(
        _run(folder, claim, result, run_id=run_id, error=error, now=now), usage=spent() + Usage(transitions=steps)
    )
    if claim is not None and claim.plan.budget_usd is not None:
        run = replace(run, month_usd=_month_so_far(run, ledger))
    ledger.record(run)
    if claim is not None and result.publication is not None and result.publication.changed:
        tell(events, claim, result.publication, result.counts, database=database)
    ledger.release(folder.dataset, run_id=run_id)
    # A group that failed once beside others is tried again at once. What fails again, or as a whole, waits for the
    # reconciler's next turn: trying again within seconds would only spend its attempts.
    at_once = _AT_ONCE if result.state == "PARTIAL" else 0
    waiting = ledger.pending(folder.dataset) if claim is not None and not claim.over_budget else ()
    is_waiting = any(load.attempts <= at_once for load in waiting) or _goes_back(claim, result, waiting)
    return Settled(
        state=result.state,
        failed_groups=result.failed_groups,
        counts=result.counts,
        next_run=wake(folder.dataset).run_id if is_waiting else None,
        loads=tuple(settlement.load for settlement in result.settlements),
        warnings=_warnings(claim, result.groups),
        figures=figures_of(
            run,
            claim=claim,
            settlements=result.settlements,
            groups=result.groups,
            publication=result.publication,
            before=islice(ledger.runs(folder.dataset), HISTORY + 1),
            now=now,
        ),
    )


def _month_so_far(run: Run, ledger: Ledger) -> float:
    """Return the dollars of the month in which the run began, up to and with the run. Reads few records."""
    earlier = (past for past in ledger.runs(run.dataset) if past.fence < run.fence)
    return spent_this_month(earlier, datetime.fromisoformat(run.started)) + total(run.usage)


def _warnings(claim: Claim | None, groups: Sequence[GroupResult]) -> tuple[tuple[str, RejectCount], ...]:
    if claim is None:
        return ()
    summaries = [summary for result in groups for summary in result.loads]
    return tuple((summary.load_id, count) for summary in summaries for count in warned(summary, claim.plan))


def tell(events: EventBridgeClient, claim: Claim, publication: Publication, counts: Counts, *, database: str) -> None:
    """Put the event TablePublished on the bus. It may be told twice."""
    detail = {
        "database": database,  # environments may share a bus
        "dataset": claim.dataset,
        "table": claim.plan.dataset,
        "run_id": claim.run_id,
        "fence": claim.fence,
        "snapshot_id": publication.snapshots.get(claim.plan.dataset),
        "rows_accepted": counts.rows_accepted,
        "rows_rejected": counts.rows_rejected,
    }
    answer = events.put_events(
        Entries=[{"Source": "sluice", "DetailType": "TablePublished", "Detail": json.dumps(detail, sort_keys=True)}]
    )
    if answer["FailedEntryCount"]:
        raise TransientError(f"dataset {claim.dataset}: the event bus refused TablePublished")


def _result(folder: RunFolder, claim: Claim | None, *, outcome: str, now: datetime) -> _Result:
    if claim is None:
        return _Result(state="FAILED")
    publication, decision = folder.publication(), folder.decision()
    if publication is None or decision is None:
        if outcome == "failed" or not claim.is_empty:
            return _Result(state="FAILED", failed_groups=len(claim.groups))
        return _Result(state="OVER_BUDGET" if claim.over_budget else "EMPTY", settlements=_settlements(claim, (), now))
    if claim.generation and decision.failed:  # a rebuild is all or nothing
        return _Result(
            state="FAILED",
            failed_groups=len(decision.failed),
            publication=publication,
            error=causes(folder, decision.failed),
        )
    groups = tuple(result for index in decision.groups if (result := folder.group(index)) is not None)
    settlements = _settlements(claim, groups, now)
    if claim.generation and (fallen := {load.load_id for load in _fallen(claim, groups)} & set(claim.fallback)):
        # Nothing was published: the next run rebuilds without what it knows now to be refused.
        settlements = tuple(one for one in settlements if one.load.load_id in fallen)
    if decision.failed:
        state: RunState = "PARTIAL" if settlements else "FAILED"
    else:
        state = "PUBLISHED"
    return _Result(
        state=state,
        settlements=settlements,
        groups=groups,
        failed_groups=len(decision.failed),
        publication=publication,
        error=causes(folder, decision.failed),
    )


def _settlements(claim: Claim, groups: Sequence[GroupResult], now: datetime) -> tuple[Settlement, ...]:
    summaries = {summary.load_id: summary for result in groups for summary in result.loads}
    vanished = {load_id for result in groups for load_id in result.vanished}

    def ended(load: ClaimedLoad, state: LoadState, **changes: object) -> Settlement:
        record = load.to_load(dataset=claim.dataset, run_id=claim.run_id)
        final = replace(
            record,
            state=state,
            settled=now.isoformat(timespec="milliseconds"),
            contract=claim.plan.version,
            **changes,  # type: ignore[arg-type]
        )
        # A refused version is in no table but the rejects, except in `merge`, where nothing asks what a key shows.
        is_shown = state != "SUPERSEDED" and (state != "REFUSED" or claim.plan.mode == "merge")
        return Settlement(load=final, order=load.order if is_shown else None)

    settlements: list[Settlement] = []
    fallen = _fallen(claim, groups)
    for load in claim.loads:
        summary = summaries.get(load.load_id)
        if load.action == "skip" and _may_count(load, fallen, claim.plan):
            continue  # the next run judges it again
        if load.action in {"skip", "forget"} or load.load_id in vanished:
            settlements.append(ended(load, "SUPERSEDED"))
        elif load.action == "retract":
            settlements.append(ended(load, "RETRACTED"))
        elif summary is not None:
            reason = summary.refused or held_back(summary, claim.plan)
            if reason:  # none of its rows are in the table
                settlements.append(ended(load, "REFUSED", reason=reason))
            else:
                settlements.append(ended(load, "DONE", counts=counts_of(summary)))
        # else its group failed: it waits for the next run
    return tuple(settlements)


def _goes_back(claim: Claim | None, result: _Result, waiting: Sequence[Load]) -> bool:
    """Tell whether loads wait only because a newer version turned out to be refused: that is no failure of theirs."""
    if claim is None:
        return False
    names, fallen = {load.load_id for load in waiting}, _fallen(claim, result.groups)
    if claim.generation:
        return bool({load.load_id for load in fallen} & set(claim.fallback))
    return any(load.load_id in names and _may_count(load, fallen, claim.plan) for load in claim.loads)


def _fallen(claim: Claim, groups: Sequence[GroupResult]) -> tuple[ClaimedLoad, ...]:
    """List the loads that were to be shown and were refused: older ones may count now."""
    if claim.plan.mode == "merge":
        return ()
    summaries = {summary.load_id: summary for result in groups for summary in result.loads}
    return tuple(
        load
        for load in claim.loads
        if (summary := summaries.get(load.load_id)) is not None and (summary.refused or held_back(summary, claim.plan))
    )


def _may_count(load: ClaimedLoad, fallen: Sequence[ClaimedLoad], plan: Plan) -> bool:
    return bool(load.order) and any(
        load.order < other.order and (plan.mode == "replace" or load.key == other.key) for other in fallen
    )


def _run(
    folder: RunFolder, claim: Claim | None, result: _Result, *, run_id: str, error: str | None, now: datetime
) -> Run:
    started = claim.started if claim is not None else now.isoformat(timespec="milliseconds")
    snapshots = result.publication.snapshots if result.publication is not None else {}
    return Run(
        dataset=folder.dataset,
        fence=folder.fence,
        run_id=run_id,
        state=result.state,
        started=started,
        finished=now.isoformat(timespec="milliseconds"),
        seconds=(now - datetime.fromisoformat(started)).total_seconds(),
        engines=tuple(sorted({group.engine for group in result.groups})),
        groups=len(claim.groups) if claim is not None else 0,
        failed_groups=result.failed_groups,
        loads=len(claim.loads) if claim is not None else 0,
        counts=result.counts,
        snapshots=tuple(sorted(snapshots.items())),
        error=(error or result.error or "")[:_LONGEST_ERROR] or None if result.state in {"FAILED", "PARTIAL"} else None,
    )
