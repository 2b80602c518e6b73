"""The command: finds both states and the samples, and tells what it found to people or machines."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.screen import AsJson, emit, show, table, working
from sluice.cli.target import Target
from sluice.errors import ContractError

if TYPE_CHECKING:
    from sluice.cli.preview.compare import DatasetChange, MartChange, State
    from sluice.cli.preview.effect import Effect

_GIT_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Everything that a change does. `dollars` are of a backfill by dataset; None where nobody knows the sizes."""

    base: str
    datasets: Sequence[DatasetChange]
    marts: Sequence[MartChange]
    effects: Mapping[str, Effect]
    dollars: Mapping[str, float | None]
    fault: str | None

    @property
    def breaks(self) -> bool:
        """Whether readers may break."""
        breaking = (*(one.breaks_readers for one in self.datasets), *(one.breaks_readers for one in self.marts))
        return bool(self.fault) or any(breaking)


def preview(
    base: Annotated[str, typer.Option(help="What to compare with: a Git ref, or a folder with contracts/.")] = "main",
    samples: Annotated[
        Path, typer.Option(help="Folder with sample files in <dataset>/, as they would be uploaded.")
    ] = Path("samples"),
    live: Annotated[
        bool, typer.Option("--live", help="Ask the ledger how much a backfill would load; default: the samples.")
    ] = False,
    project: Annotated[Path, typer.Option(help="Folder with contracts/ and marts/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """What a change in contracts or marts does to schemas, rows, marts and money. Exit code 1 if readers may break."""
    with answering(as_json=as_json):
        with working("Comparing") as progress, _base(base, project) as before:
            outlook = _outlook(base, before, project, samples=project / samples, live=live, progress=progress)
        if as_json:
            emit(_document(outlook))
        else:
            _tell(outlook)
        if outlook.breaks:
            raise typer.Exit(Exit.DATA)


@contextmanager
def _base(base: str, project: Path) -> Iterator[Path]:
    """The folder of the state to compare with: as it is, or taken out of Git."""
    if (Path(base) / "contracts").is_dir():
        yield Path(base)
        return
    if base.startswith("-"):
        raise CommandError(f"{base!r} is no Git ref.", how="Name a ref or a folder with --base.")
    named = _git(project, "ls-tree", "--name-only", base, "contracts", "marts").decode().split()
    if "contracts" not in named:
        raise CommandError(f"{base} has no contracts/.", how="Name another ref, or a folder, with --base.")
    packed = _git(project, "archive", "--format=tar", base, *named)
    with TemporaryDirectory(prefix="sluice-base-") as folder, tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
        yield Path(folder)


def _git(project: Path, *words: str) -> bytes:
    """What Git answers. Raises CommandError where there is none, or no such ref."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(project), *words],  # noqa: S607
            capture_output=True,
            check=False,
            timeout=_GIT_SECONDS,
        )
    except FileNotFoundError as error:
        raise CommandError("Git is not installed.", how="Name a folder with --base.") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise CommandError(f"Git says: {said}.", how="Name a ref that exists, or a folder, with --base.")
    return done.stdout


def _state(root: Path) -> State:
    """Compile a project; marts that do not fit their tables are a finding here, not an error."""
    from sluice.cli.preview.compare import State  # noqa: PLC0415
    from sluice.project import CONTRACT_SUFFIX, load_marts, load_plan  # noqa: PLC0415  (reads YAML and parses SQL)

    plans = {made.dataset: made for made in map(load_plan, sorted((root / "contracts").glob("*" + CONTRACT_SUFFIX)))}
    try:
        return State(plans=plans, marts=load_marts(root / "marts", plans))
    except ContractError as error:
        return State(plans=plans, marts=(), fault=str(error))


def _outlook(base: str, before: Path, project: Path, *, samples: Path, live: bool, progress: Any) -> Outlook:
    from sluice.cli.preview.compare import dataset_changes, mart_changes  # noqa: PLC0415
    from sluice.cli.preview.effect import backfill_dollars, effect  # noqa: PLC0415  (DuckDB)

    old, new = _state(before), _state(project)
    datasets = dataset_changes(old, new)
    effects: dict[str, Effect] = {}
    dollars: dict[str, float | None] = {}
    for one in datasets:
        files = sorted(path for path in (samples / one.name).glob("**/*") if path.is_file())
        if one.old and one.new and files:
            progress(f"Trying {len(files)} files of {one.name} under both contracts")
            effects[one.name] = effect(one.old, one.new, files)
        if one.needs_backfill:
            sizes = _live_sizes(one.name) if live else [path.stat().st_size for path in files]
            dollars[one.name] = backfill_dollars(sizes) if sizes else None
    marts = mart_changes(old, new, datasets)
    return Outlook(base=base, datasets=datasets, marts=marts, effects=effects, dollars=dollars, fault=new.fault)


def _live_sizes(dataset: str) -> Sequence[int]:
    loads = Target.from_environment(os.environ).ledger().loads(dataset)
    return [load.size for load in loads if load.state == "DONE" and load.kind == "put"]


def _document(outlook: Outlook) -> dict[str, Any]:
    return {
        "ok": not outlook.breaks,
        "base": outlook.base,
        "breaking": outlook.breaks,
        "fault": outlook.fault,
        "datasets": [
            {
                "name": one.name,
                "version": [one.old.version if one.old else None, one.new.version if one.new else None],
                "keeps_its_version": one.keeps_its_version,
                "breaks_readers": one.breaks_readers,
                "needs_backfill": one.needs_backfill,
                "changes": [
                    {
                        "kind": change.kind,
                        "what": change.sentence,
                        "breaks_readers": change.breaks_readers,
                        "needs_backfill": change.needs_backfill,
                    }
                    for change in one.changes
                ],
                "rows": _rows(outlook.effects.get(one.name)),
                "backfill_dollars": outlook.dollars.get(one.name),
            }
            for one in outlook.datasets
        ],
        "marts": [
            {
                "name": mart.name,
                "how": mart.how,
                "breaks_readers": mart.breaks_readers,
                "columns_gone": mart.columns_gone,
                "columns_retyped": mart.columns_retyped,
            }
            for mart in outlook.marts
        ],
    }


def _rows(found: Effect | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "files": found.files,
        **{
            name: {"read": rows.read, "accepted": rows.accepted, "refused_files": rows.refused}
            for name, rows in (("before", found.old), ("after", found.new))
        },
        "rejected": [
            {"column": column or None, "rule": rule, "before": before, "after": after}
            for column, rule, before, after in found.by_rule()
        ],
    }


def _tell(outlook: Outlook) -> None:
    if not outlook.datasets and not outlook.marts and not outlook.fault:
        show(f"No contract or mart differs from {outlook.base} in what it does.")
        return
    for one in outlook.datasets:
        _tell_dataset(one, outlook)
    if outlook.marts:
        rows = [
            (mart.name, mart.how, ", ".join((*mart.columns_gone, *mart.columns_retyped)), mart.breaks_readers or None)
            for mart in outlook.marts
        ]
        show(table("Marts", ("mart", "what becomes of it", "columns gone or retyped", "breaks readers"), rows))
    if outlook.fault:
        show("Marts do not fit the new tables: " + outlook.fault.replace("[", r"\["))
    show("Readers may break." if outlook.breaks else "No reader breaks.")


def _tell_dataset(one: DatasetChange, outlook: Outlook) -> None:
    if one.old is None or one.new is None:
        show(f"{one.name}: {'new' if one.old is None else 'gone; its table stays, nothing loads it any more'}.\n")
        return
    rows = [(change.sentence, change.breaks_readers or None, change.needs_backfill or None) for change in one.changes]
    title = f"{one.name}, {one.old.version} to {one.new.version}"
    show(table(title, ("change", "breaks readers", "rows of today differ until a backfill"), rows))
    if one.keeps_its_version:
        show(f"The version is still {one.new.version}: rows of both contracts would carry it. Raise it.\n")
    if found := outlook.effects.get(one.name):
        counts = [
            ("read", found.old.read, found.new.read),
            ("accepted", found.old.accepted, found.new.accepted),
            ("files refused", found.old.refused, found.new.refused),
            *((f"rejected by {rule} of {column or 'the row'}", *pair) for column, rule, *pair in found.by_rule()),
        ]
        title = f"Rows of {found.files} sample files"
        show(table(title, ("", "before", "after"), counts, numbers=("before", "after")))
    if one.needs_backfill:
        known = outlook.dollars.get(one.name)
        cost = f"about ${known:.4f}" if known is not None else "unknown: give samples, or --live"
        show(f"Cost of a backfill of what is known: {cost}.\n")
