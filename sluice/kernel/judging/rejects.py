"""Rows of the rejects table: one for each broken rule of a rejected record, one for each refused object."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from sluice.contract.plan import REJECTS, Plan
from sluice.contract.sql import literal, quote
from sluice.contract.types import duckdb_type
from sluice.errors import DataError
from sluice.kernel.outcome import SourceFile

Refusals = Sequence[tuple[SourceFile, DataError]]

REFUSALS = "SELECT * FROM refusals"

# Where a rejected record came from, for SELECTs over records that have `load`, `row` and the provenance columns.
_ORIGIN = """
    _sluice_load AS load_id, _sluice_object AS "object", _sluice_version AS "version", _sluice_order AS object_order,
    _sluice_row AS row_number, {entry}, {contract} AS contract, _sluice_run AS run"""


def origin(entry: str, *, contract: str) -> str:
    """Return the select list of an entry: `entry` from ordinal to raw, for records with the provenance columns."""
    return _ORIGIN.format(entry=entry, contract=contract)


def create_refusals(connection: duckdb.DuckDBPyConnection, plan: Plan, refusals: Refusals, run_id: str) -> None:
    """Fill the table `refusals`, which has the shape of the rejects table."""
    columns = ", ".join(f"{quote(name)} {duckdb_type(kind)}" for name, kind in REJECTS)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE refusals ({columns})")
    for source, error in refusals:
        known = {
            "load_id": source.load_id,
            "object": source.key,
            "version": source.version_id,
            "object_order": source.order,
            "ordinal": 1,
            "rule": error.rule,
            "reason": error.detail,
            "contract": plan.version,
            "run": run_id,
        }
        connection.execute(
            f"INSERT INTO refusals VALUES ({', '.join('?' * len(REJECTS))})", [known.get(name) for name, _ in REJECTS]
        )


def broken_entries(plan: Plan) -> str:
    """Return the SELECT of one entry for each breach of each record in the relation `broken`."""
    entry = "ordinal, " + ", ".join(f'breach."{field}" AS "{field}"' for field in ("column", "rule", "reason", "value"))
    return f"""
        SELECT {_ORIGIN.format(entry=f"{entry}, raw", contract=literal(plan.version))}
        FROM (SELECT *, unnest(breaches) AS breach, CAST(generate_subscripts(breaches, 1) AS INTEGER) AS ordinal
              FROM broken)"""


def repeated_entries(plan: Plan) -> str:
    """Return the SELECT of one entry for each record in the relation `repeated`."""
    key = ", ".join(plan.primary_key)
    value = f"concat_ws(', ', {', '.join(f'CAST({quote(name)} AS VARCHAR)' for name in plan.primary_key)})"
    reason = f"{literal(f'expected each {key} once in an object, got it again: ')} || {value}"
    entry = f"""
        CAST(1 AS INTEGER) AS ordinal, {literal(key)} AS "column", 'primaryKey' AS "rule", {reason} AS reason,
        {value} AS "value", _sluice_raw AS raw"""
    return f"SELECT {_ORIGIN.format(entry=entry, contract=literal(plan.version))} FROM repeated"
