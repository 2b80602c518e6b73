"""`sluice new`: the folder of a project, with an example or with a file of one's own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from sluice.bundle import release
from sluice.cli.exits import CommandError, answering
from sluice.cli.new import TEMPLATE
from sluice.cli.screen import AsJson, emit, show, working

# Names that a file has in a project. A package cannot carry every name: tools skip what begins with a dot.
_RENAMED = {"gitignore": ".gitignore", "github": ".github"}
_EXAMPLE = ("contracts", "marts", "samples")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")


def new(
    name: Annotated[str, typer.Argument(help="Name of the project, and of the folder to make.")],
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", help="Begin with this file, not with the example: drafts its contract and a mart.",
            exists=True, dir_okay=False,
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of the file's dataset; default: by its name.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a project: contracts, marts, samples, environments, a test and workflows, ready for `sluice up`."""
    with answering(as_json=as_json):
        target = Path(name)
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", target.name):
            raise CommandError(f"{target.name!r} is no name for a project.", how="Use letters, digits, - and _.")
        if target.exists() and any(target.iterdir()):
            raise CommandError(f"{target} is there already.", how="Choose another name; nothing is overwritten.")
        if file is None:
            if dataset is not None:
                raise CommandError("A dataset needs a file.", how="Name one with --file.")
            names = {"dataset": "orders", "sample": "2026-11-30.csv", "mart": "orders_by_day"}
            _write(target, names, without=())
        else:
            names = _own(target, file, dataset or _dataset_of(file))
        if as_json:
            emit({"ok": True, "project": str(target), **names})
            return
        put = f"sluice put {names['dataset']} samples/{names['dataset']}/{names['sample']}"
        show(
            f"{target} is a project. Next:\n\n"
            f"  cd {target}\n"
            f"  sluice up          # an offline AWS, until Ctrl-C; the rest in a second terminal\n"
            f"  {put}\n\n"
            f"Then: sluice query 'SELECT * FROM {names['mart']}'. AGENTS.md and README.md say how to go on."
        )


def _write(target: Path, names: dict[str, str], *, without: tuple[str, ...]) -> None:
    """Copy the template, with names and the version filled in, but for the folders `without`."""
    values = {"name": target.name, "version": release(), **names}
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file()):
        parts = source.relative_to(TEMPLATE).parts
        if parts[0] in without or "__pycache__" in parts:
            continue
        path = target.joinpath(*(_RENAMED.get(part, part) for part in parts))
        path.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        # Contracts and SQL are as they are: a dollar sign there is theirs.
        path.write_text(text if parts[0] in _EXAMPLE else Template(text).substitute(values), encoding="utf-8")


def _own(target: Path, file: Path, dataset: str) -> dict[str, str]:
    """Write a project around a file of the user's: its contract as `sluice init` drafts it, and a first mart."""
    from sluice.cli.init import init  # noqa: PLC0415  (DuckDB)
    from sluice.cli.new.mart import first_mart  # noqa: PLC0415
    from sluice.project import load_plan  # noqa: PLC0415

    if not _TABLE.fullmatch(dataset):
        raise CommandError(f"{dataset!r} is no name for a table.", how="Name one with --dataset, for example orders.")
    names = {"dataset": dataset, "sample": file.name, "mart": f"{dataset}_summary"}
    _write(target, names, without=_EXAMPLE)
    sample = target / "samples" / dataset / file.name
    sample.parent.mkdir(parents=True)
    shutil.copyfile(file, sample)
    contract = target / "contracts" / f"{dataset}.odcs.yaml"
    with working(f"Reading {file.name}"):
        init(dataset, [sample], out=contract)
        mart = first_mart(load_plan(contract))
    path = target / "marts" / f"{names['mart']}.sql"
    path.parent.mkdir()
    path.write_text(mart, encoding="utf-8")
    return names


def _dataset_of(file: Path) -> str:
    """Return a name for the table of a file: "Orders 2026-11.csv" is of orders."""
    words = re.findall(r"[a-z]+[a-z0-9]*", file.name.partition(".")[0].lower())
    return "_".join(words) or "dataset"
