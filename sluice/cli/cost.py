"""`sluice cost`: what runs, datasets, marts and shared stages cost in a month, by what the ledger saw them consume."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli.exits import CommandError, answering
from sluice.cli.screen import AsJson, emit, show, table
from sluice.cli.target import Target
from sluice.prices import READ_ON, REGION, Usage, dollars, total

if TYPE_CHECKING:
    from sluice.contract.plan import Plan
    from sluice.ledger.model import Run
    from sluice.ledger.table import Ledger
    from sluice.project import Project

SHARED = ("ingest", "reconcile", "refresh", "maintain")  # stages that belong to no run
_PARTS = ("Lambda", "Step Functions", "Glue", "Athena")


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What one dataset, mart or stage cost. `budget` is of a dataset whose contract has one."""

    name: str
    kind: str  # dataset, mart, stage
    runs: int | None
    usage: Usage
    budget: float | None = None


def cost(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset, run by run.")] = None,
    month: Annotated[str | None, typer.Option(help="YYYY-MM, UTC; default: this month.")] = None,
    project: Annotated[Path, typer.Option(help="Folder with contracts/ and marts/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Show estimated dollars by run, dataset, mart and month, at the list prices of sluice/prices.py."""
    with answering(as_json=as_json):
        from sluice.project import load_project  # noqa: PLC0415  (reads YAML and parses SQL)

        month = month or datetime.now(UTC).strftime("%Y-%m")
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
            raise CommandError(f"{month!r} is no month.", how="Write it like 2026-11.")
        known = load_project(project)
        if dataset is not None and dataset not in known.plans:
            raise CommandError(f"There is no dataset {dataset}.", how=f"Name one of {', '.join(sorted(known.plans))}.")
        ledger = Target.from_environment(os.environ).ledger()
        if dataset is not None:
            _tell_runs(known.plans[dataset], list(runs_of(ledger, dataset, month)), month, as_json=as_json)
        else:
            _tell_bills(bills(ledger, known, month), month, as_json=as_json)


def runs_of(ledger: Ledger, dataset: str, month: str) -> Iterable[Run]:
    """Runs of a dataset that began in a month, newest first."""
    until = takewhile(lambda run: run.started[:7] >= month, ledger.runs(dataset))
    return (run for run in until if run.started.startswith(month))


def bills(ledger: Ledger, known: Project, month: str) -> Sequence[Bill]:
    """What everything cost in a month, the dearest first."""
    made: list[Bill] = []
    for name, plan in known.plans.items():
        runs = list(runs_of(ledger, name, month))
        usage = sum((run.usage for run in runs), Usage())
        made.append(Bill(name=name, kind="dataset", runs=len(runs), usage=usage, budget=plan.budget_usd))
    others = [*((mart.name, "mart") for mart in known.marts), *((stage, "stage") for stage in SHARED)]
    made += [Bill(name=name, kind=kind, runs=None, usage=ledger.spending(name, month)) for name, kind in others]
    return sorted(made, key=lambda bill: (-total(bill.usage), bill.name))


def _tell_runs(plan: Plan, runs: Sequence[Run], month: str, *, as_json: bool) -> None:
    spent = sum(total(run.usage) for run in runs)
    if as_json:
        told = [
            {"run_id": run.run_id, "state": run.state, "started": run.started, **_document(run.usage)} for run in runs
        ]
        emit({**_head(month, spent), "dataset": plan.dataset, "budget": plan.budget_usd, "runs": told})
        return
    rows = [
        (run.run_id, run.state, run.started[:19].replace("T", " "), run.counts.rows_read, *_cells(run.usage))
        for run in runs
    ]
    columns = ("run", "state", "started", "rows", *_PARTS, "requests", "dollars")
    show(table(f"{plan.dataset}, {month}", columns, rows, numbers=columns[3:]))
    limit = f" of ${plan.budget_usd:g} a month ({plan.budget_action})" if plan.budget_usd else ""
    show(f"${spent:.6f}{limit}, estimated at list prices of {REGION}, {READ_ON}.")


def _tell_bills(made: Sequence[Bill], month: str, *, as_json: bool) -> None:
    spent = sum(total(bill.usage) for bill in made)
    if as_json:
        told = [
            {"name": bill.name, "kind": bill.kind, "runs": bill.runs, "budget": bill.budget, **_document(bill.usage)}
            for bill in made
        ]
        emit({**_head(month, spent), "bills": told})
        return
    rows = [
        (bill.name, bill.kind, bill.runs, *_cells(bill.usage), f"{bill.budget:g}" if bill.budget else None)
        for bill in made
    ]
    columns = ("name", "kind", "runs", *_PARTS, "requests", "dollars", "budget")
    show(table(month, columns, rows, numbers=columns[2:]))
    show(f"${spent:.6f}, estimated at list prices of {REGION}, {READ_ON}.")


def _head(month: str, spent: float) -> dict[str, Any]:
    return {"ok": True, "month": month, "dollars": round(spent, 6), "prices": {"read_on": READ_ON, "region": REGION}}


def _document(usage: Usage) -> dict[str, Any]:
    parts = {name: round(value, 8) for name, value in dollars(usage).items() if value}
    return {"dollars": round(total(usage), 8), "parts": parts, "usage": asdict(usage)}


def _cells(usage: Usage) -> tuple[str, ...]:
    """Dollars of the parts that have a column, of all requests together, and of everything."""
    parts = dollars(usage)
    named = [parts.get(name, 0.0) for name in _PARTS]
    every = total(usage)
    return tuple(f"{value:.6f}" if value else "" for value in (*named, every - sum(named), every))
