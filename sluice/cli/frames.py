"""Results of statements as pandas frames, for commands that work on with them. No command logic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.cli.exits import CommandError
from sluice.cli.target import Target

if TYPE_CHECKING:
    import pandas as pd


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
