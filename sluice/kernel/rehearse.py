"""A plan tried on no rows: DuckDB binds each expression, so what does not fit its types is found at synth.

No file is read and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import duckdb

from sluice.contract.plan import CELL, Column, Plan
from sluice.contract.sql import cell_names, quote
from sluice.contract.types import duckdb_type
from sluice.errors import ContractError
from sluice.kernel.layout.partition import partition_expressions

_QUOTED = re.compile(r'"[a-z0-9_]+"')  # the names of columns, which are always quoted
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")


def rehearse(plan: Plan, *, file: str) -> None:
    """Raise ContractError, with the place, for the first expression of the plan that DuckDB cannot take."""
    with duckdb.connect(config={"threads": 1, "autoload_known_extensions": False}) as connection:
        connection.execute("SET enable_external_access = false")
        connection.execute("PRAGMA disable_optimizer")  # it would compute what is constant, however large that is
        for place, select in _selects(plan):
            try:
                described = connection.execute(f"DESCRIBE {select}").fetchall()
            except duckdb.Error as error:
                raise ContractError(
                    f"DuckDB cannot compute this: {str(error).splitlines()[0]}",
                    file=file,
                    place=place,
                    remedy="correct the expression, or the types of the columns in it",
                ) from error
            if place.startswith("quality") and not described[0][1].startswith(_NUMBERS):
                raise ContractError(
                    f"the query yields {described[0][1]}", file=file, place=place, remedy="let it yield one number"
                )


def _selects(plan: Plan) -> Iterator[tuple[str, str]]:
    """Each expression as a SELECT over what it may refer to, with the place to name."""
    columns = (*plan.columns, *plan.omitted)
    taken = [column for column in columns if column.source is not None]
    cells = cell_names(column.source for column in columns if column.source is not None)
    for column in columns:
        rows = (
            _named(taken, column.cast) if column.source is None else f"SELECT NULL::VARCHAR AS {cells[column.source]}"
        )
        yield f"column {column.name}", f"SELECT {column.cast} FROM ({rows})"
        if column.explain:
            yield f"column {column.name}", f"SELECT {column.explain} FROM (SELECT NULL::VARCHAR AS {CELL})"
    for rule in plan.rules:
        yield (
            f"rule {rule.name} of {rule.column or 'the row'}",
            f"SELECT {rule.predicate} FROM ({_named(columns, rule.predicate)})",
        )
    for part in partition_expressions(plan):
        yield "partition", f"SELECT {part} FROM ({_named(columns, part)})"
    for check in plan.checks:
        if check.measure == "query":
            yield f"quality check {check.name}", f"WITH source AS ({_named(columns, check.sql)}) SELECT ({check.sql})"


def _named(columns: Sequence[Column], expression: str) -> str:
    """A SELECT of no rows of the columns that an expression names: of all of them, thousands would take minutes."""
    words = set(_QUOTED.findall(expression))
    names = ", ".join(
        f"NULL::{duckdb_type(column.type)} AS {name}" for column in columns if (name := quote(column.name)) in words
    )
    return f"SELECT {names or 'NULL AS nothing'} WHERE false"
