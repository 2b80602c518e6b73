"""`sluice query`: one statement through the Athena API, offline as on AWS."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.deployed import warn_of_difference
from sluice.cli.exits import CommandError, answering
from sluice.cli.screen import AsJson, emit, show, table, working
from sluice.cli.target import Target

if TYPE_CHECKING:
    import pandas as pd


def query(
    sql: Annotated[str, typer.Argument(help="A SELECT in Athena's SQL.")],
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many rows; --json gives all.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Ask the curated tables and marts a question."""
    with answering(as_json=as_json):
        target = Target.from_environment(os.environ)
        warn_of_difference(target, re.findall(r"\w+", sql), Path())
        with working("Athena works on it"):
            frame = select(target, sql)
        if as_json:
            emit({"ok": True, "columns": list(frame.columns), "rows": records(frame)})
            return
        numeric = [name for name in frame.columns if frame[name].dtype.kind in "iuf"]
        shown = [tuple(row.values()) for row in records(frame.head(limit))]
        show(table("", list(frame.columns), shown, numbers=numeric))
        if len(frame) > limit:
            show(f"{len(frame) - limit:,} more rows; --limit shows them.")


def select(target: Target, sql: str) -> pd.DataFrame:
    """Return the statement's result. Raises CommandError where Athena refuses the statement."""
    import awswrangler as wr  # noqa: PLC0415  (more than a second)
    from awswrangler.exceptions import InvalidArgumentValue, QueryCancelled, QueryFailed  # noqa: PLC0415

    try:
        frame: pd.DataFrame = wr.athena.read_sql_query(
            sql,
            database=target.database,
            workgroup=target.workgroup,
            ctas_approach=False,  # reads the result file: no temporary table in the user's database
            boto3_session=target.session(),
            athena_query_wait_polling_delay=0.1,
        )
    except (QueryFailed, QueryCancelled, InvalidArgumentValue) as error:
        raise CommandError(
            f"Athena refused the statement: {error}", how="Correct the SQL; nothing was changed."
        ) from error
    return frame


def records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Rows as plain Python values; missing cells are None."""
    import pandas as pd  # noqa: PLC0415

    plain = frame.astype(object).where(frame.notna(), None)
    found = plain.to_dict(orient="records")
    return [
        {str(name): value.isoformat() if isinstance(value, pd.Timestamp) else value for name, value in row.items()}
        for row in found
    ]
