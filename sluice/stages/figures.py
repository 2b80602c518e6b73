"""What a run came to, as figures for metrics: from the run's own documents and the records of runs before. Pure.

Volume is judged against the dataset's own history in the ledger, which costs one read a run; anomaly detection in
CloudWatch would cost three metrics a dataset and month.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from statistics import median

from sluice import metrics
from sluice.contract.repairs import time_of
from sluice.ledger.model import Run, Settlement
from sluice.metrics import Metric
from sluice.prices import total
from sluice.stages.budget import spent_this_month
from sluice.stages.holding import warned
from sluice.stages.manifest import Claim, GroupResult, Publication

HISTORY = 20  # runs that the volume is compared with
_ENOUGH = 5  # fewer say nothing
TABLES = 2  # curated and rejects: a publication without a conflict takes one attempt for each


def figures_of(
    run: Run,
    *,
    claim: Claim | None,
    settlements: Sequence[Settlement],
    groups: Sequence[GroupResult],
    publication: Publication | None,
    before: Iterable[Run],
    now: datetime,
) -> Mapping[Metric, float]:
    """List the figures of a run that has ended. `before` are the earlier runs of the dataset, newest first."""
    counts = run.counts
    figures: dict[Metric, float] = {
        metrics.FAILED_RUNS: float(run.state in {"FAILED", "PARTIAL"}),
        metrics.OVER_BUDGET: float(run.state == "OVER_BUDGET"),
        metrics.RUN_SECONDS: run.seconds,
        metrics.DOLLARS: total(run.usage),
    }
    earlier = [past for past in before if past.fence < run.fence]
    if claim is not None and claim.plan.budget_usd is not None:
        figures[metrics.BUDGET_SHARE] = spent_this_month([run, *earlier], now) / claim.plan.budget_usd
    if settlements:
        refused = {summary.load_id for result in groups for summary in result.loads if summary.refused}
        no_rows = [item.load.load_id for item in settlements if item.load.state == "REFUSED"]
        figures |= {
            metrics.ROWS_READ: counts.rows_read,
            metrics.ROWS_ACCEPTED: counts.rows_accepted,
            metrics.ROWS_REJECTED: counts.rows_rejected,
            metrics.ROWS_SUPERSEDED: counts.rows_superseded,
            metrics.OBJECTS_REFUSED: sum(load_id in refused for load_id in no_rows),
            metrics.OBJECTS_HELD_BACK: sum(load_id not in refused for load_id in no_rows),
        }
    if claim is not None:
        summaries = [summary for result in groups for summary in result.loads]
        figures[metrics.WARNINGS] = sum(count.rows for one in summaries for count in warned(one, claim.plan))
    if counts.rows_read:
        figures[metrics.REJECT_SHARE] = counts.rows_rejected / counts.rows_read
    if publication is not None and publication.attempts:
        figures[metrics.COMMIT_ATTEMPTS] = publication.attempts
        figures[metrics.COMMIT_CONFLICTS] = max(0, publication.attempts - TABLES)
    if (lag := lag_seconds(claim, settlements, now)) is not None:
        figures[metrics.LAG_SECONDS] = lag
    if (ratio := volume_ratio(run, earlier)) is not None:
        figures[metrics.VOLUME_RATIO] = ratio
    return figures


def lag_seconds(claim: Claim | None, settlements: Sequence[Settlement], now: datetime) -> float | None:
    """Seconds from the time of the oldest object that is in the table now to its publication."""
    orders = {load.load_id: load.order for load in claim.loads} if claim is not None else {}
    done = [orders.get(item.load.load_id, "") for item in settlements if item.load.state == "DONE"]
    times = [datetime.fromisoformat(time_of(order)) for order in done if order]
    return max((now - min(times)).total_seconds(), 0.0) if times else None


def volume_ratio(run: Run, before: Iterable[Run]) -> float | None:
    """How many times more or less rows an object this run brought than the runs before; None without enough of them."""
    past = [_rows_an_object(other) for other in islice(before, HISTORY)]
    usual = [rows for rows in past if rows]
    now = _rows_an_object(run)
    if now is None or len(usual) < _ENOUGH:
        return None
    middle = median(usual)
    return max(middle / max(now, 1.0), now / middle)


def transitions(claim: Claim | None, *, failed: bool, failed_groups: int) -> int:
    """State transitions of a run's execution as `stacks.machines.run` defines it, repetitions not counted."""
    if claim is None:
        return 3  # Claim, SettleFailed, Failed
    if claim.is_empty and not failed:
        return 5  # Claim, HasWork, Settle, AllGroups, Done
    return 6 + (not failed) + 2 * len(claim.groups) + failed_groups


def _rows_an_object(run: Run) -> float | None:
    return run.counts.rows_read / run.loads if run.loads and run.state in {"PUBLISHED", "PARTIAL"} else None
