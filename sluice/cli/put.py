"""`sluice put`: upload files of a dataset and wait until the ledger says what became of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli import marts
from sluice.cli.deployed import warn_of_difference
from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.screen import AsJson, count_of, emit, show, table, working
from sluice.cli.target import Target

if TYPE_CHECKING:
    from sluice.ledger.model import Load, MartState, Run

_COLUMNS = ("object", "state", "read", "accepted", "rejected", "superseded", "run", "reason")
_NUMBERS = ("read", "accepted", "rejected", "superseded")
_PAUSE_SECONDS = 0.5
_SURE = 3  # between giving back the lease and waking the next run nobody holds it
_MARTS_SECONDS = 300  # a refresh that takes longer goes on without us


def put(  # noqa: PLR0917  (a command line has options; nobody calls it by position)
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    files: Annotated[
        list[Path], typer.Argument(help="Files to upload under their own names.", exists=True, dir_okay=False)
    ],
    wait: Annotated[bool, typer.Option(help="Wait until the files are loaded or refused.")] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait at most.")] = 900,
    project: Annotated[Path, typer.Option(help="Folder with contracts/, to know the datasets by.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Upload files and wait until they are loaded. Exit code 1 if a row or file was rejected or a mart failed."""
    with answering(as_json=as_json):
        if len({path.name for path in files}) < len(files):
            raise CommandError(
                "Two files share one name, and with it one key.", how="Rename one, or put them one by one."
            )
        contracts = project / "contracts"
        if contracts.is_dir() and not (contracts / f"{dataset}.odcs.yaml").is_file():
            raise CommandError(
                f"There is no contract {contracts / dataset}.odcs.yaml.", how="Name a dataset that has one."
            )
        target = Target.from_environment(os.environ)
        warn_of_difference(target, [dataset], project)
        with working(f"Uploading {count_of(len(files), 'file')}") as progress:
            versions = {f"{dataset}/{path.name}": _upload(target, f"{dataset}/{path.name}", path) for path in files}
            if not wait:
                if as_json:
                    emit({"ok": True, "uploaded": versions})
                else:
                    show(f"Uploaded. `sluice runs {dataset}` says what becomes of it.")
                return
            deadline = time.monotonic() + timeout
            loads = settled(target, dataset, versions, deadline=deadline, progress=progress)
            behind = _marts(target, dataset, loads, project, deadline=deadline, progress=progress)
        failed = [state for state in behind if state.outcome == "FAILED"]
        clean = all(load.state in {"DONE", "SUPERSEDED"} and not load.counts.rows_rejected for load in loads)
        clean = clean and not failed
        if as_json:
            emit(
                {"ok": clean, "loads": [_document(load) for load in loads], "marts": list(map(marts.document, behind))}
            )
        else:
            show(table("", _COLUMNS, [_row(load) for load in loads], numbers=_NUMBERS))
            if failed:
                show(marts.drawn(failed), "They keep their last good rows. `sluice runs <mart>` says more.")
        if not clean:
            raise typer.Exit(Exit.DATA)


def _marts(
    target: Target,
    dataset: str,
    loads: Sequence[Load],
    project: Path,
    *,
    deadline: float,
    progress: Callable[[str], None],
) -> list[MartState]:
    """Wait for the marts behind the dataset, if its table has changed."""
    from sluice.warehouse.order import downstream  # noqa: PLC0415

    fences = [int(load.run_id.rpartition("-")[2]) for load in loads if load.run_id and load.counts.rows_accepted]
    if not fences or not (project / "marts").is_dir():
        return []
    names = [mart.name for mart in downstream(marts.marts_of(project), dataset)]
    patience = min(deadline, time.monotonic() + _MARTS_SECONDS)
    return marts.answered(target, dataset, max(fences), names, deadline=patience, progress=progress)


def _upload(target: Target, key: str, path: Path) -> str:
    with path.open("rb") as body:
        return str(target.client("s3").put_object(Bucket=target.raw_bucket, Key=key, Body=body)["VersionId"])


def settled(
    target: Target, dataset: str, versions: Mapping[str, str], *, deadline: float, progress: Callable[[str], None]
) -> list[Load]:
    """Wait until none of these object versions is pending; return their loads."""
    from sluice.ledger.model import load_id  # noqa: PLC0415

    ledger = target.ledger()
    names = [load_id(target.raw_bucket, key, version) for key, version in versions.items()]
    # A run that is under way may have taken these files; one that has ended has not.
    seen = next((run.fence + (run.state != "RUNNING") for run in ledger.runs(dataset)), 0)
    failed = 0  # polls in a row that found a failed run and none under way
    while True:
        loads = [load for name in names if (load := ledger.find(dataset, name))]
        waiting = len(names) - sum(load.state != "PENDING" for load in loads)
        if not waiting:
            return loads
        failed = failed + 1 if (run := _failed(target, dataset, since=seen)) else 0
        if run and failed > _SURE:
            raise CommandError(
                f"Run {run.run_id} failed: {run.error or 'nobody could say why'}",
                how=f"The {waiting} files are kept. Once the cause is gone the reconciler loads them; "
                f"`sluice runs {dataset}` says so.",
                code=Exit.INFRASTRUCTURE,
            )
        if time.monotonic() > deadline:
            raise CommandError(
                f"{waiting} of {count_of(len(names), 'file')} not loaded yet.",
                how=f"They will be: `sluice runs {dataset}` says how far it is. Is {dataset} a deployed dataset?",
                code=Exit.INFRASTRUCTURE,
            )
        progress(f"Waiting for {waiting} of {count_of(len(names), 'file')} to be loaded")
        time.sleep(_PAUSE_SECONDS)


def _failed(target: Target, dataset: str, *, since: int) -> Run | None:
    """Return the newest run, from fence `since` on, if it failed and no other one is under way."""
    ledger = target.ledger()
    run = next(ledger.runs(dataset), None)
    if run is None or run.fence < since or run.state not in {"FAILED", "PARTIAL"}:
        return None
    return run if ledger.lease(dataset).run_id is None else None


def _document(load: Load) -> dict[str, object]:
    return {
        "object": load.key,
        "version": load.version_id,
        "load_id": load.load_id,
        "state": load.state,
        "run": load.run_id,
        **vars(load.counts),
        "reason": load.reason,
    }


def _row(load: Load) -> tuple[object, ...]:
    counts = load.counts
    return (
        load.key,
        load.state,
        counts.rows_read,
        counts.rows_accepted,
        counts.rows_rejected,
        counts.rows_superseded,
        load.run_id,
        load.reason,
    )
