"""`sluice query`: one statement through the Athena API, offline as on AWS."""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from sluice.cli import grid
from sluice.cli.athena import Answer, ask
from sluice.cli.deployed import warn_of_difference
from sluice.cli.exits import CommandError, answering
from sluice.cli.marts import failure_of
from sluice.cli.screen import AsJson, emit, working
from sluice.cli.target import Target

_PROVENANCE = "_sluice_"
_NOT_FOUND = re.compile(r"TABLE_NOT_FOUND\W.*?(\w+) does not exist")


def query(  # noqa: PLR0917  (a command line has options; nobody calls it by position)
    sql: Annotated[str, typer.Argument(help="A SELECT in Athena's SQL.")],
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many rows; --json and --csv give all.")] = 50,
    provenance: Annotated[bool, typer.Option("--provenance", help="Show the columns _sluice_*, too.")] = False,
    vertical: Annotated[bool, typer.Option("--vertical", help="One line a column, not one a row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV on stdout, with exact values.")] = False,
    project: Annotated[Path, typer.Option(help="Folder with contracts/ and marts/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Ask the curated tables and marts a question. A result too wide for the terminal is turned on its side."""
    with answering(as_json=as_json):
        target = Target.from_environment(os.environ)
        warn_of_difference(target, re.findall(r"\w+", sql), project)
        with working("Athena works on it"):
            try:
                answer = ask(target, sql, most=None if as_json or as_csv else limit)
            except CommandError as error:
                if (found := _NOT_FOUND.search(str(error))) and (why := failure_of(target, found[1], project)):
                    raise CommandError(why, how=f"`sluice runs {found[1]}` says more.", code=error.code) from error
                raise
        if not provenance and _PROVENANCE not in sql:
            answer = answer.only([name for name in answer.columns if not name.startswith(_PROVENANCE)])
        if as_json:
            emit({"ok": True, "columns": list(answer.columns), "rows": answer.documents()})
        elif as_csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerows([answer.columns, *answer.rows])
        else:
            _show(answer, limit=limit, vertical=vertical)


def _show(answer: Answer, *, limit: int, vertical: bool) -> None:
    if not answer.columns:
        return
    width = 0 if vertical else shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in grid.lines(answer.columns, answer.rows[:limit], numbers=answer.numbers, width=width):
        typer.echo(line)
    if len(answer.rows) > limit:
        typer.echo(f"More than {limit:,} rows; --limit shows more, --csv all.")
