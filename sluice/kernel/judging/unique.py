"""Values that may stand once in an object beside its primary key: the later rows that repeat them become rejects.

Judged over rows that keep all rules by themselves, before primary keys are. Like `repeats`, it reads the columns in
question from the files that accepted records were written to, and whole rows only where files change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from sluice.contract.plan import PROVENANCE, Plan, Unique
from sluice.contract.sql import literal, quote
from sluice.kernel.judging.examine import Texts
from sluice.kernel.judging.rejects import origin
from sluice.kernel.judging.repeats import scan, without
from sluice.kernel.layout.partition import Written


def take_out(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Written],
    plan: Plan,
    *,
    original: Texts,
    folder: Path,
    field_ids: Mapping[str, int] | None,
) -> tuple[tuple[Written, ...], list[str]]:
    """Return the files without the rows that repeat, and SELECTs of their entries in the rejects table.

    `original` finds the texts of rows, as in `write`.
    """
    if not files or not _found(connection, files, plan):
        return tuple(files), []
    _create_duplicated(connection, files, plan, original)
    kept = without(connection, files, plan, table="duplicates", folder=folder, field_ids=field_ids)
    return kept, [_entries(plan)]


def _found(connection: duckdb.DuckDBPyConnection, files: Sequence[Written], plan: Plan) -> int:
    """Fill the table `duplicates` with each broken promise of each row; return how many there are."""
    connection.execute("""
    CREATE OR REPLACE TEMP TABLE duplicates (
        _sluice_load VARCHAR, _sluice_row BIGINT, filename VARCHAR, file_row_number BIGINT, promise INTEGER)""")
    for number, unique in enumerate(plan.unique):
        columns = ", ".join(map(quote, unique.columns))
        given = " AND ".join(f"{quote(name)} IS NOT NULL" for name in unique.columns)
        connection.execute(f"""
        INSERT INTO duplicates
        WITH repeated AS (
            SELECT _sluice_load, {columns} FROM {scan(files)} WHERE {given} GROUP BY ALL HAVING count(*) > 1
        ), judged AS (
            SELECT
                _sluice_load, _sluice_row, filename, file_row_number,
                {_is_later(plan)} AS is_later
            FROM {scan(files, places=True)} SEMI JOIN repeated USING (_sluice_load, {columns})
            WINDOW same AS (PARTITION BY _sluice_load, {columns} ORDER BY _sluice_row)
        )
        SELECT * EXCLUDE (is_later), {number} FROM judged WHERE is_later""")
    (found,) = connection.execute("SELECT count(*) FROM duplicates").fetchone() or (0,)
    return int(found)


def _is_later(plan: Plan) -> str:
    if plan.mode != "merge":
        return "row_number() OVER same > 1"
    # A newer row of the same key is the same thing again: it takes the place of the older one.
    key = f"({', '.join(map(quote, plan.primary_key))})"
    return f"row{key} IS DISTINCT FROM first_value(row{key}) OVER same"


def _create_duplicated(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Written],
    plan: Plan,
    original: Texts,
) -> None:
    """Make the table `duplicated`: the rows of `duplicates` with their values, provenance and text."""
    columns = dict.fromkeys(name for unique in plan.unique for name in unique.columns)
    names = ", ".join([*map(quote, columns), *(name for name, _ in PROVENANCE)])
    connection.execute(
        f"""
    CREATE OR REPLACE TEMP TABLE duplicated AS
    WITH texts AS (
        {original.of("duplicates")}
    ), records AS (
        SELECT {names} FROM {scan(files, places=True)} SEMI JOIN duplicates USING (filename, file_row_number)
    )
    SELECT * FROM records LEFT JOIN texts USING (_sluice_load, _sluice_row)""",
        dict(original.parameters),
    )


def _entries(plan: Plan) -> str:
    each = " UNION ALL ".join(_entry(number, unique) for number, unique in enumerate(plan.unique))
    entry = """
        CAST(row_number() OVER (PARTITION BY _sluice_load, _sluice_row ORDER BY promise) AS INTEGER) AS ordinal,
        "column", "rule", reason, "value", _sluice_raw AS raw"""
    return f"SELECT {origin(entry, contract='_sluice_contract')} FROM ({each})"


def _entry(number: int, unique: Unique) -> str:
    names = ", ".join(unique.columns)
    value = f"concat_ws(', ', {', '.join(f'CAST({quote(name)} AS VARCHAR)' for name in unique.columns)})"
    reason = f"{literal(f'expected each {names} once in an object, got it again: ')} || {value}"
    return f"""
        SELECT duplicated.*, promise, {literal(names)} AS "column", {literal(unique.name)} AS "rule",
            {reason} AS reason, {value} AS "value"
        FROM duplicated JOIN duplicates USING (_sluice_load, _sluice_row) WHERE promise = {number}"""
