"""One statement put to Athena: its columns with types, and its rows as the texts that Athena prints. No pandas."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.cli.exits import CommandError
from sluice.cli.target import Target

_PAUSE_SECONDS = 0.1
_INTEGERS = frozenset({"tinyint", "smallint", "integer", "int", "bigint"})
_FLOATS = frozenset({"double", "real", "float"})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Athena answered. Cells are exact texts, None for NULL."""

    columns: Sequence[str]
    kinds: Sequence[str]
    rows: Sequence[Sequence[str | None]]

    @property
    def numbers(self) -> Sequence[str]:
        """The columns that hold numbers."""
        numeric = _INTEGERS | _FLOATS | {"decimal"}
        return [name for name, kind in zip(self.columns, self.kinds, strict=True) if kind in numeric]

    def only(self, wanted: Sequence[str]) -> Answer:
        """Return the answer with these columns only."""
        places = [place for place, name in enumerate(self.columns) if name in wanted]
        return Answer(
            columns=[self.columns[place] for place in places],
            kinds=[self.kinds[place] for place in places],
            rows=[[row[place] for place in places] for row in self.rows],
        )

    def documents(self) -> list[dict[str, object]]:
        """Return rows for JSON: whole numbers, doubles and truth values as such, everything else as text."""
        return [
            {name: _value(cell, kind) for name, cell, kind in zip(self.columns, row, self.kinds, strict=True)}
            for row in self.rows
        ]


def ask(target: Target, sql: str, *, most: int | None = None) -> Answer:
    """Run a statement and return its result, at most `most` rows. Raises CommandError where Athena refuses it."""
    athena = target.client("athena")
    query = athena.start_query_execution(
        QueryString=sql, WorkGroup=target.workgroup, QueryExecutionContext={"Database": target.database}
    )["QueryExecutionId"]
    while True:
        execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        state = execution["Status"]["State"]
        if state in {"SUCCEEDED", "FAILED", "CANCELLED"}:
            break
        time.sleep(_PAUSE_SECONDS)
    if state != "SUCCEEDED":
        reason = execution["Status"].get("StateChangeReason", state)
        raise CommandError(f"Athena refused the statement: {reason}", how="Correct the SQL; nothing was changed.")
    return _results(athena, query, header=execution.get("StatementType") == "DML", most=most)


def _results(athena: object, query: str, *, header: bool, most: int | None) -> Answer:
    columns: list[str] = []
    kinds: list[str] = []
    rows: list[list[str | None]] = []
    for page in athena.get_paginator("get_query_results").paginate(QueryExecutionId=query):  # type: ignore[attr-defined]
        told = page["ResultSet"]
        if not columns:
            found = told["ResultSetMetadata"].get("ColumnInfo", [])
            columns, kinds = [one["Name"] for one in found], [one["Type"] for one in found]
        rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in told["Rows"]]
        if most is not None and len(rows) > most + 1:
            break
    if rows and (header or rows[0] == columns):  # Athena puts names before the rows of a SELECT
        rows = rows[1:]
    return Answer(columns=columns, kinds=kinds, rows=rows)


def _value(cell: str | None, kind: str) -> object:
    if cell is None:
        return None
    if kind in _INTEGERS:
        return int(cell)
    if kind in _FLOATS and cell.strip("-") not in {"NaN", "Infinity"}:
        return float(cell)
    return cell == "true" if kind == "boolean" else cell
