"""`sluice doctor`: whether bucket, ledger and tables agree, on one screen; with `--repair` it repairs what can be."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli import marts
from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.screen import AsJson, emit, show, table, working
from sluice.cli.target import LEASE_SECONDS, Target

if TYPE_CHECKING:
    from sluice.contract.plan import Plan
    from sluice.ledger.model import MartState
    from sluice.stages.doctor import Diagnosis, DoctorContext

_COLUMNS = ("", "what was looked at", "count", "which", "what to do")
_PAUSE_SECONDS = 1.0


def doctor(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset; default: all of this project.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Load again what disagrees, and wait.")] = False,
    *,
    mend: Annotated[bool, typer.Option("--mend", hidden=True)] = False,  # its name in 0.1.0
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait at most, with --repair.")] = 900,
    project: Annotated[Path, typer.Option(help="Folder with contracts/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Say whether bucket, ledger and tables agree, and which marts fail. Exit code 1 if something is wrong."""
    from sluice.project import load_project  # noqa: PLC0415  (reads YAML and parses SQL)

    with answering(as_json=as_json):
        plans = load_project(project).plans
        if dataset is not None and dataset not in plans:
            raise CommandError(f"There is no contract of {dataset}.", how=f"Name one of {', '.join(sorted(plans))}.")
        target = Target.from_environment(os.environ)
        chosen = [plans[name] for name in ([dataset] if dataset else sorted(plans))]
        with working("Looking") as progress:
            found = list(_diagnoses(chosen, target, progress))
            if (repair or mend) and not all(one.holds for one in found):
                for plan, one in zip(chosen, found, strict=True):
                    if not one.holds:
                        progress(f"Repairing {plan.dataset}")
                        _repair(plan, one, target)
                _wait(chosen, target, deadline=time.monotonic() + timeout, progress=progress)
                found = list(_diagnoses(chosen, target, progress))
            if dataset is None:
                found.append(_bucket(list(plans), target))
            behind = _marts(dataset, target, project)
        well = all(one.holds for one in found) and all(state.outcome != "FAILED" for state in behind)
        if as_json:
            datasets = [_document(one) for one in found]
            emit({"ok": well, "datasets": datasets, "marts": list(map(marts.document, behind))})
        else:
            for one in found:
                show(table(one.dataset, _COLUMNS, list(_rows(one)), numbers=("count",)))
            if behind:
                show(marts.drawn(behind))
        if not well:
            raise typer.Exit(Exit.DATA)


def _marts(dataset: str | None, target: Target, project: Path) -> list[MartState]:
    """Read the state of the marts behind a dataset, or of all."""
    from sluice.warehouse.order import downstream  # noqa: PLC0415

    return marts.states(target, [mart.name for mart in downstream(marts.marts_of(project), dataset)])


def _diagnoses(plans: list[Plan], target: Target, progress: Callable[[str], None]) -> Iterator[Diagnosis]:
    from sluice.stages.doctor import examine  # noqa: PLC0415

    context = _context(target)
    for plan in plans:
        progress(f"Looking at {plan.dataset}")
        yield examine(plan, context)


def _bucket(datasets: list[str], target: Target) -> Diagnosis:
    from sluice.stages.doctor import Diagnosis, unknown_keys  # noqa: PLC0415

    finding = unknown_keys(target.client("s3"), bucket=target.raw_bucket, datasets=datasets)
    return Diagnosis(dataset="the raw bucket", findings=(finding,))


def _context(target: Target) -> DoctorContext:
    from sluice.stages.doctor import DoctorContext  # noqa: PLC0415
    from sluice.stages.services import utc_now  # noqa: PLC0415

    return DoctorContext(
        s3=target.client("s3"),
        catalog=target.catalog(),
        ledger=target.ledger(),
        states=target.client("stepfunctions"),
        state_machine=target.need("state_machine"),
        raw_bucket=target.raw_bucket,
        lake_bucket=target.lake_bucket,
        database=target.database,
        now=utc_now(),
        overdue_seconds=LEASE_SECONDS,
    )


def _repair(plan: Plan, found: Diagnosis, target: Target) -> None:
    """Set going what the ordinary run then does: the reconciler's findings, and the loads that the doctor names."""
    from sluice.stages.reconcile import reconcile  # noqa: PLC0415
    from sluice.stages.replay import replay  # noqa: PLC0415
    from sluice.stages.services import utc_now  # noqa: PLC0415

    wake = target.waking()
    reconcile(
        plan,
        s3=target.client("s3"),
        glue=target.client("glue"),
        raw_bucket=target.raw_bucket,
        lake_bucket=target.lake_bucket,
        database=target.database,
        ledger=target.ledger(),
        states=target.client("stepfunctions"),
        state_machine=target.need("state_machine"),
        wake=wake,
        now=utc_now(),
        lease_seconds=LEASE_SECONDS,
    )
    replay(plan.dataset, found.loads, ledger=target.ledger(), wake=wake)


def _wait(plans: list[Plan], target: Target, *, deadline: float, progress: Callable[[str], None]) -> None:
    """Wait until no load waits and no lease is held; what still is, the next look will show."""
    ledger = target.ledger()
    while time.monotonic() < deadline:
        busy = [
            plan.dataset
            for plan in plans
            if ledger.pending(plan.dataset, limit=1) or ledger.lease(plan.dataset).run_id is not None
        ]
        if not busy:
            return
        progress(f"Waiting for {', '.join(busy)}")
        time.sleep(_PAUSE_SECONDS)


def _rows(found: Diagnosis) -> Iterator[tuple[object, ...]]:
    for finding in found.findings:
        mark = "ok" if finding.count == 0 else "WRONG" if finding.is_error else "note"
        remedy = finding.remedy or ("`sluice doctor --repair`" if finding.is_error else "")
        yield mark, finding.check, finding.count, "; ".join(finding.samples), remedy if finding.count else ""


def _document(found: Diagnosis) -> dict[str, Any]:
    findings = [
        {**{name: value for name, value in asdict(one).items() if name != "loads"}, "holds": one.holds}
        for one in found.findings
    ]
    return {"dataset": found.dataset, "ok": found.holds, "findings": findings}
