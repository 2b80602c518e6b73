"""A plan tried on no rows: DuckDB binds each expression, so what does not fit its types is found at synth.

No file is read and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from sluice.contract.plan import CELL, Plan
from sluice.contract.sql import quote
from sluice.contract.types import duckdb_type
from sluice.errors import ContractError
from sluice.kernel.layout.partition import partition_expressions
from sluice.kernel.readers.header import sources

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")


def rehearse(plan: Plan, *, file: str) -> None:
    """Raise ContractError, with the place, for the first expression of the plan that DuckDB cannot take."""
    with duckdb.connect(config={"threads": 1, "autoload_known_extensions": False}) as connection:
        connection.execute("SET enable_external_access = false")
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
    cells = ", ".join(f"NULL::VARCHAR AS {quote(name)}" for name in dict.fromkeys(sources(plan))) or "NULL AS nothing"
    columns = (*plan.columns, *plan.omitted)
    taken = [column for column in columns if column.source is not None]
    typed = _empty([(column.name, column.type) for column in taken])
    whole = _empty([(column.name, column.type) for column in columns])
    for column in columns:
        rows = f"(SELECT {cells})" if column.source is not None else f"({typed})"
        yield f"column {column.name}", f"SELECT {column.cast} FROM {rows}"
        if column.explain:
            yield f"column {column.name}", f"SELECT {column.explain} FROM (SELECT NULL::VARCHAR AS {CELL})"
    for rule in plan.rules:
        yield f"rule {rule.name} of {rule.column or 'the row'}", f"SELECT {rule.predicate} FROM ({whole})"
    for part in partition_expressions(plan):
        yield "partition", f"SELECT {part} FROM ({whole})"
    for check in plan.checks:
        if check.measure == "query":
            yield f"quality check {check.name}", f"WITH source AS ({whole}) SELECT ({check.sql})"


def _empty(columns: list[tuple[str, str]]) -> str:
    names = ", ".join(f"NULL::{duckdb_type(kind)} AS {quote(name)}" for name, kind in columns)
    return f"SELECT {names or 'NULL AS nothing'} WHERE false"
