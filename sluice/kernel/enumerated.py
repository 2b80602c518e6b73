"""Columns of few texts as types of few values on the way to their files, which are the same.

DuckDB would copy and hash each text again for each row: to sort rows by partition, and for the dictionary in the file.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from sluice.contract.plan import Plan
from sluice.contract.sql import quote
from sluice.kernel.examine import Query, is_text_as_it_stands
from sluice.kernel.outcome import SourceFile


def with_few_values(
    connection: duckdb.DuckDBPyConnection, records: Query, plan: Plan, source: SourceFile, run_id: str
) -> Query:
    """Return the examined records of one object, with what is the same for all of them and what has a list of values.

    A text of a rejected record that is not in the list becomes NULL: the record carries its cells along (`explain`).
    """
    constants = {
        "_sluice_load": source.load_id,
        "_sluice_object": source.key,
        "_sluice_version": source.version_id,
        "_sluice_order": source.order,
        "_sluice_run": run_id,
    }
    for name, value in constants.items():
        connection.execute(f"CREATE OR REPLACE TYPE {name}_only AS ENUM (SELECT $1)", [value])
    replaced = [f"CAST({name} AS {name}_only) AS {name}" for name in constants]
    for number, (name, values) in enumerate(_enumerations(plan)):
        listed = f"SELECT DISTINCT unnest([{values}])"
        connection.execute(f"CREATE OR REPLACE TYPE _sluice_listed_{number} AS ENUM ({listed})")
        replaced.append(f"TRY_CAST({name} AS _sluice_listed_{number}) AS {name}")
    return f"SELECT * REPLACE ({', '.join(replaced)}) FROM ({records[0]})", records[1]


def _enumerations(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield quoted columns whose accepted texts are listed by a rule, and the list, as SQL."""
    for column in plan.columns:
        start = f"{quote(column.name)} IN ("
        lists = [
            rule.predicate.removeprefix(start).removesuffix(")")
            for rule in plan.rules
            if rule.name == "enum" and rule.severity != "warn" and rule.predicate.startswith(start)
        ]
        if lists and is_text_as_it_stands(column, plan):
            yield quote(column.name), lists[0]
