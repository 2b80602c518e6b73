"""What a dataset has cost this month, and whether its contract still lets it run. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import takewhile

from sluice.contract.plan import Plan
from sluice.ledger.model import Run
from sluice.prices import total


def spent_this_month(runs: Iterable[Run], now: datetime) -> float:
    """Return the dollars of the runs that began in the month of `now` (UTC).

    `runs` come newest first and are read no further than to the first that carries the month's sum up to itself.
    """
    month, dollars = now.strftime("%Y-%m"), 0.0
    for run in takewhile(lambda run: run.started[:7] >= month, runs):
        if run.month_usd is not None:
            return dollars + run.month_usd
        dollars += total(run.usage)
    return dollars


def is_stopped(plan: Plan, runs: Iterable[Run], now: datetime) -> bool:
    """Tell whether no run may begin: the budget is spent and the contract says that this stops the dataset."""
    if plan.budget_usd is None or plan.budget_action != "stop":
        return False
    return spent_this_month(runs, now) >= plan.budget_usd
