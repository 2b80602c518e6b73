"""`sluice rejects`: rejected rows of a dataset, by what they broke, with samples, and as files to be repaired."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.cli.deployed import warn_of_difference
from sluice.cli.exits import CommandError, answering
from sluice.cli.frames import records, select
from sluice.cli.repair import RepairedFile, Version, Written, closed, write_repairable
from sluice.cli.screen import AsJson, emit, say, show, table, working
from sluice.cli.target import Target
from sluice.contract.repairs import identity
from sluice.locations import rejects_table

_GROUPS = (
    'SELECT object, version, "column", rule, count(*) AS "rows", min(row_number) AS first_row FROM {} '
    'WHERE ordinal = 1 GROUP BY object, version, "column", rule ORDER BY object, count(*) DESC, rule, "column"'
)
_SAMPLES = (
    'SELECT object, row_number, "column", rule, reason, raw FROM {} '
    "WHERE ordinal = 1{} ORDER BY object, row_number LIMIT {}"
)
_RULES = (
    'SELECT object, version, object_order, row_number, "column", rule, reason, value FROM {} '
    "WHERE row_number IS NOT NULL ORDER BY object, row_number, ordinal"
)


def rejects(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    samples: Annotated[int, typer.Option(min=0, help="How many rejected rows to show.")] = 10,
    repair: Annotated[
        Path | None, typer.Option(help="Write the rejected rows here, a file for each object, to be repaired and put.")
    ] = None,
    *,
    mend: Annotated[Path | None, typer.Option(hidden=True)] = None,  # the name of --repair in 0.1.0
    project: Annotated[Path, typer.Option(help="Folder with contracts/, for --repair.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Open rejects, grouped by the first rule that each row broke, with samples."""
    with answering(as_json=as_json):
        target, repair = Target.from_environment(os.environ), repair or mend
        warn_of_difference(target, [dataset], Path())
        table_name = _rejects_table(target, dataset)
        with working(f"Athena reads {table_name}") as progress:
            shut = closed(target, dataset)
            everything = records(select(target, _GROUPS.format(table_name)))
            groups = [group for group in everything if identity(*_version(group)) not in shut]
            left_out = {_version(group) for group in everything} - {_version(group) for group in groups}
            statement = _SAMPLES.format(table_name, "".join(map(_without, sorted(left_out))), samples)
            sample = records(select(target, statement)) if samples and groups else []
            rules = records(select(target, _RULES.format(table_name))) if repair and groups else []
            broken: dict[Version, list[Mapping[str, Any]]] = defaultdict(list)
            for rule in rules:
                if _version(rule) not in left_out:
                    broken[_version(rule)].append(rule)
            written = Written(files=(), arrived=0)
            if repair:
                written = write_repairable(target, _plan(project, dataset), broken, repair, progress=progress)
            files = written.files
        shown = [{name: value for name, value in group.items() if name != "version"} for group in groups]
        repaired = sum(int(str(group["rows"])) for group in everything if _version(group) in left_out)
        if as_json:
            made = [{"file": str(file.path), "object": file.object, "records": file.records} for file in files]
            found = {
                "groups": shown,
                "samples": sample,
                "repaired": repaired,
                "arrived": written.arrived,
                "files": made,
            }
            emit({"ok": True, "dataset": dataset, **found})
            return
        _tell(dataset, shown, sample, repaired)
        if written.arrived:
            say(f"{written.arrived:,} are written to no file: newer rows of their keys have arrived since.")
        _tell_files(dataset, files)


_Rows = Collection[Mapping[str, Any]]


def _tell(dataset: str, groups: _Rows, sample: _Rows, repaired: int) -> None:
    if not groups:
        show(f"No row of {dataset} is rejected." if not repaired else f"No reject of {dataset} is open.")
    for title, rows in (("By the first rule that a row broke", groups), ("Samples", sample)):
        if rows:
            numbers = ("rows", "first_row", "row_number")
            show(table(title, list(next(iter(rows))), [tuple(row.values()) for row in rows], numbers=numbers))
    if repaired:
        say(f"{repaired:,} more were closed by repaired files.")


def _tell_files(dataset: str, files: Collection[RepairedFile]) -> None:
    if files:
        rows = [(str(file.path), file.object, file.records) for file in files]
        show(table("To be repaired", ("file", "object", "records"), rows, numbers=("records",)))
        folder = next(iter(files)).path.parent
        say("Repair them (the .why.txt beside each says what is wrong), leave out what cannot be repaired, then:")
        say(f"  sluice put {dataset} {folder}/repaired-*{next(iter(files)).path.suffix}")


def _version(row: Mapping[str, Any]) -> Version:
    return str(row["object"]), str(row["version"])


def _without(version: Version) -> str:
    key, version_id = (part.replace("'", "''") for part in version)
    return f" AND NOT (object = '{key}' AND version = '{version_id}')"


def _plan(project: Path, dataset: str) -> Any:
    from sluice.project import load_plan  # noqa: PLC0415  (reads YAML)

    path = project / "contracts" / f"{dataset}.odcs.yaml"
    if not path.is_file():
        raise CommandError(f"There is no contract {path}.", how="Change to the project's folder, or say --project.")
    plan = load_plan(path)
    if plan.mode == "replace":
        raise CommandError(
            f"{dataset} shows its newest file only: a file of repaired rows would replace the table.",
            how="Repair the whole file at its source and send it again.",
        )
    return plan


def _rejects_table(target: Target, dataset: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", dataset):  # it becomes part of a statement
        raise CommandError(f"{dataset!r} is no dataset's name.", how="Name one of contracts/<dataset>.odcs.yaml.")
    glue, name = target.client("glue"), rejects_table(dataset)
    try:
        glue.get_table(DatabaseName=target.database, Name=name)
    except glue.exceptions.EntityNotFoundException as error:
        raise CommandError(
            f"There is no table {name}: no run of {dataset} has published yet.",
            how=f"`sluice runs {dataset}` says what ran.",
        ) from error
    return name
