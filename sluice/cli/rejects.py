"""`sluice rejects`: rejected rows of a dataset, grouped by what they broke, with samples."""

from __future__ import annotations

import os
import re
from typing import Annotated

import typer

from sluice.cli.exits import CommandError, answering
from sluice.cli.query import records, select
from sluice.cli.screen import AsJson, emit, show, table, working
from sluice.cli.target import Target

_GROUPS = (
    'SELECT object, "column", rule, count(*) AS "rows", min(row_number) AS first_row FROM {} '
    'WHERE ordinal = 1 GROUP BY object, "column", rule ORDER BY object, count(*) DESC, rule, "column"'
)
_SAMPLES = (
    'SELECT object, row_number, "column", rule, reason, raw FROM {} '
    "WHERE ordinal = 1 ORDER BY object, row_number LIMIT {}"
)


def rejects(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    samples: Annotated[int, typer.Option(min=0, help="How many rejected rows to show.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Rejected rows, grouped by the first rule that each broke, with samples."""
    with answering(as_json=as_json):
        target = Target.from_environment(os.environ)
        table_name = _rejects_table(target, dataset)
        with working(f"Athena reads {table_name}"):
            groups = records(select(target, _GROUPS.format(table_name)))
            sample = records(select(target, _SAMPLES.format(table_name, samples))) if samples and groups else []
        if as_json:
            emit({"ok": True, "dataset": dataset, "groups": groups, "samples": sample})
        elif not groups:
            show(f"No row of {dataset} is rejected.")
        else:
            for title, rows in (("By the first rule that a row broke", groups), ("Samples", sample)):
                if rows:
                    numbers = ("rows", "first_row", "row_number")
                    show(table(title, list(rows[0]), [tuple(row.values()) for row in rows], numbers=numbers))


def _rejects_table(target: Target, dataset: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", dataset):  # it becomes part of a statement
        raise CommandError(f"{dataset!r} is no dataset's name.", how="Name one of contracts/<dataset>.odcs.yaml.")
    glue, name = target.client("glue"), f"{dataset}__rejects"
    try:
        glue.get_table(DatabaseName=target.database, Name=name)
    except glue.exceptions.EntityNotFoundException as error:
        raise CommandError(
            f"There is no table {name}: no run of {dataset} has published yet.",
            how=f"`sluice runs {dataset}` says what ran.",
        ) from error
    return name
