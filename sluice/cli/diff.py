"""`sluice diff`: what contracts as they stand would do to tables, data and readers of the released ones. No AWS."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.exits import CommandError, answering
from sluice.cli.screen import AsJson, emit, say, show, table

if TYPE_CHECKING:
    from sluice.contract.evolution import Change
    from sluice.contract.plan import Plan

_WAYS = {
    "NarrowType": "backfill", "ReplaceType": "backfill", "PartitionChanged": "backfill",
    "AddColumn": "next run", "DropColumn": "next run", "RenameColumn": "next run", "WidenType": "next run",
    "Reorder": "next run",
}  # fmt: skip


def diff(
    datasets: Annotated[list[str] | None, typer.Argument(help="Datasets; default: all of them.")] = None,
    against: Annotated[
        Path | None, typer.Option(help="A contract, or a folder of them; default: contracts/released.", exists=True)
    ] = None,
    project: Annotated[Path, typer.Option(help="Folder with contracts/.")] = Path(),
    release: Annotated[
        bool, typer.Option("--release", help="Record these contracts as released: what the next ones must not break.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What a change of contracts does to tables, running data and readers. Exit code 2 if it breaks readers unsaid."""
    with answering(as_json=as_json):
        from sluice.contract.evolution import refuse_unsaid  # noqa: PLC0415
        from sluice.project import RELEASED  # noqa: PLC0415  (reads YAML)

        folder = project / "contracts"
        compared = [_compare(path, against or folder / RELEASED) for path in _paths(folder, datasets)]
        if not as_json:
            for one in compared:
                _tell(one)
        for one in compared:
            if one.old:
                refuse_unsaid(one.old, one.new, file=str(one.path))
        if release:
            _release([one.path for one in compared])
        if as_json:
            changes = {one.new.dataset: _document(one) for one in compared}
            emit({"ok": True, "released": release, "datasets": changes})


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """One contract, and what was released of its dataset before; `changes` is None where nothing was."""

    path: Path
    old: Plan | None
    new: Plan
    changes: Sequence[Change] | None


def _paths(folder: Path, datasets: Sequence[str] | None) -> Sequence[Path]:
    paths = [folder / f"{name}.odcs.yaml" for name in datasets or ()] or sorted(folder.glob("*.odcs.yaml"))
    for path in paths or [folder / "*.odcs.yaml"]:
        if not path.is_file():
            raise CommandError(f"There is no contract {path}.", how="Name a dataset that has one, in its project.")
    return paths


def _compare(path: Path, against: Path) -> _Compared:
    from sluice.contract.evolution import compare  # noqa: PLC0415
    from sluice.project import load_plan  # noqa: PLC0415  (reads YAML)

    new, before = load_plan(path), against if against.is_file() else against / path.name
    old = load_plan(before) if before.is_file() else None
    return _Compared(path=path, old=old, new=new, changes=compare(old, new) if old else None)


def _release(paths: Sequence[Path]) -> None:
    from sluice.project import RELEASED  # noqa: PLC0415

    folder = paths[0].parent / RELEASED
    folder.mkdir(exist_ok=True)
    for path in paths:
        shutil.copyfile(path, folder / path.name)
    say(f"Recorded {len(paths)} contracts in {folder}: commit them.")


def _document(one: _Compared) -> list[dict[str, object]] | None:
    if one.changes is None:
        return None
    return [
        {
            "kind": change.kind,
            "what": change.sentence,
            "breaks_readers": change.breaks_readers,
            "needs_backfill": change.needs_backfill,
            "applied": _way(change),
        }
        for change in one.changes
    ]


def _tell(one: _Compared) -> None:
    name = one.new.dataset
    if one.changes is None:
        show(f"{name}: nothing to compare with; it is new, or was never released (`sluice diff --release`).")
    elif not one.changes:
        show(f"{name}: no change.")
    else:
        rows = [
            (change.sentence, change.breaks_readers or None, change.needs_backfill or None, _way(change))
            for change in one.changes
        ]
        show(table(name, ("change", "breaks readers", "old rows differ until a backfill", "applied by"), rows))


def _way(change: Change) -> str:
    """When a change reaches the table: new rows keep it at once, the shape follows with a run or a backfill."""
    return _WAYS.get(change.kind, "next run, for new rows")
