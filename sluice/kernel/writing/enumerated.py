"""Columns of few texts as types of few values on the way to their files, which are the same.

DuckDB would copy and hash each text again for each row: to sort rows by partition, and for the dictionary in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb

from sluice.contract.plan import Plan
from sluice.contract.sql import quote
from sluice.kernel.judging.examine import Listed, Query, is_text_as_it_stands
from sluice.kernel.outcome import SourceFile

_CONSTANTS = ("_sluice_load", "_sluice_object", "_sluice_version", "_sluice_order", "_sluice_run")


def create_listed(connection: duckdb.DuckDBPyConnection, plan: Plan) -> Mapping[str, Listed]:
    """Make a type of each list of texts that a rule allows; return them by column."""
    found: dict[str, Listed] = {}
    for number, (name, predicate, values) in enumerate(_enumerations(plan)):
        found[name] = Listed(type=f"_sluice_listed_{number}", predicate=predicate)
        texts = f"SELECT DISTINCT unnest([{values}])"
        connection.execute(f"CREATE OR REPLACE TYPE {found[name].type} AS ENUM ({texts})")
    return found


def create_constants(connection: duckdb.DuckDBPyConnection, source: SourceFile, run_id: str) -> None:
    """Make a type of one value of each text that is the same for all records of an object."""
    values = (source.load_id, source.key, source.version_id, source.order, run_id)
    for name, value in zip(_CONSTANTS, values, strict=True):
        connection.execute(f"CREATE OR REPLACE TYPE {name}_only AS ENUM (SELECT $1)", [value])


def with_constants(records: Query) -> Query:
    """Return the examined records of one object with those types."""
    replaced = ", ".join(f"CAST({name} AS {name}_only) AS {name}" for name in _CONSTANTS)
    return f"SELECT * REPLACE ({replaced}) FROM ({records[0]})", records[1]


def _enumerations(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Yield columns whose accepted texts are listed by a rule, its predicate, and the list, as SQL."""
    for column in plan.columns:
        start = f"{quote(column.name)} IN ("
        lists = [
            rule.predicate
            for rule in plan.rules
            if rule.name == "enum" and rule.severity != "warn" and rule.predicate.startswith(start)
        ]
        if lists and is_text_as_it_stands(column, plan):
            yield column.name, lists[0], lists[0].removeprefix(start).removesuffix(")")
