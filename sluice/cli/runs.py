"""`sluice runs`: what ran, as the ledger remembers it."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli import marts
from sluice.cli.deployed import warn_of_difference
from sluice.cli.exits import answering
from sluice.cli.screen import AsJson, emit, show, table
from sluice.cli.target import Target

if TYPE_CHECKING:
    from sluice.ledger.model import Run

_COLUMNS = (
    "run",
    "state",
    "started",
    "seconds",
    "engine",
    "loads",
    "read",
    "accepted",
    "rejected",
    "superseded",
    "error",
)
_NUMBERS = ("seconds", "loads", "read", "accepted", "rejected", "superseded")


def runs(
    dataset: Annotated[
        str | None, typer.Argument(help="Only this dataset or mart; default: all of this project.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many for each dataset, newest first.")] = 20,
    project: Annotated[Path, typer.Option(help="Folder with contracts/ and marts/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Show what ran: rows, engine, seconds and outcome; of a mart, its last refresh and why it failed."""
    with answering(as_json=as_json):
        target = Target.from_environment(os.environ)
        ledger, datasets = target.ledger(), [dataset] if dataset else _datasets(project)
        names = [mart.name for mart in marts.marts_of(project)]
        warn_of_difference(target, datasets, project)
        found = [run for name in datasets for run, _ in zip(ledger.runs(name), range(limit), strict=False)]
        behind = marts.states(target, names if dataset is None else [dataset])
        if as_json:
            emit({"ok": True, "runs": [asdict(run) for run in found], "marts": list(map(marts.document, behind))})
            return
        if found:
            show(table("", _COLUMNS, [_row(run) for run in found], numbers=_NUMBERS))
        if behind:
            show(marts.drawn(behind))
        if not found and not behind:
            show(f"Nothing has run for {', '.join(datasets)}.")


def _datasets(project: Path) -> list[str]:
    from sluice.project import load_project  # noqa: PLC0415  (reads YAML and parses SQL)

    return sorted(load_project(project).plans)


def _row(run: Run) -> tuple[object, ...]:
    counts = run.counts
    return (
        run.run_id,
        run.state,
        run.started[:19].replace("T", " "),
        run.seconds,
        ", ".join(run.engines),
        run.loads,
        counts.rows_read,
        counts.rows_accepted,
        counts.rows_rejected,
        counts.rows_superseded,
        run.error,
    )
