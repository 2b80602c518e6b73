"""From examined records to files and accounts: uniqueness within each object, data files, rejects files, counts.

The records are a relation of the given name in the connection; where they came from is no matter here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from sluice.contract.plan import PROVENANCE, REJECTS, Plan
from sluice.contract.sql import literal, quote
from sluice.contract.types import duckdb_type
from sluice.errors import DataError
from sluice.kernel.examine import BROKEN, RAW, WARNED, rejects_repeats
from sluice.kernel.outcome import LoadSummary, Outcome, OutputFile, RejectCount, SourceFile
from sluice.kernel.partition import partition_expressions, write_parquet

Refusals = Sequence[tuple[SourceFile, DataError]]


def write(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    plan: Plan,
    *,
    loads: Sequence[str],
    refusals: Refusals,
    run_id: str,
    out: Path,
    field_ids: Mapping[str, int] | None,
    reject_field_ids: Mapping[str, int] | None,
) -> Outcome:
    """Write `out/data` and `out/rejects` and account for every record of every load.

    `loads` are the load ids in the order of the summaries; `refusals` those whose objects could not be read at all.
    """
    _find_repeats(connection, relation, plan)
    names = ", ".join([quote(column.name) for column in plan.columns] + [name for name, _ in PROVENANCE])
    data = write_parquet(
        connection,
        f"SELECT {names} FROM {relation} ANTI JOIN repeats USING (_sluice_load, _sluice_row) WHERE {BROKEN} IS NULL",
        folder=out / "data",
        kind="data",
        partitions=partition_expressions(plan),
        field_ids=field_ids,
    )
    _note_refusals(connection, plan, refusals, run_id)
    rejects = write_parquet(
        connection, _rejects(relation, plan), folder=out / "rejects", kind="rejects", field_ids=reject_field_ids
    )
    summaries = _accounts(connection, relation, plan, loads, refusals)
    _check(summaries, data)
    return Outcome(files=(*data, *rejects), loads=summaries)


def _find_repeats(connection: duckdb.DuckDBPyConnection, relation: str, plan: Plan) -> None:
    """Table `repeats`: records that repeat the key of another record of their object and lose against it.

    Groups by key first, so that only the keys that do repeat are ever ordered.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE repeats (_sluice_load VARCHAR, _sluice_row BIGINT)")
    if not plan.primary_key:
        return
    key = ", ".join(["_sluice_load", *map(quote, plan.primary_key)])
    best = "_sluice_row"
    if not rejects_repeats(plan):
        best = "_sluice_row DESC"
        if plan.sequence_by:
            best = f"{quote(plan.sequence_by)} DESC NULLS LAST, {best}"
    connection.execute(f"""
    INSERT INTO repeats
    WITH accepted AS (
        SELECT * FROM {relation} WHERE {BROKEN} IS NULL
    ), repeated AS (
        SELECT {key} FROM accepted GROUP BY ALL HAVING count(*) > 1
    ), ranked AS (
        SELECT _sluice_load, _sluice_row, row_number() OVER (PARTITION BY {key} ORDER BY {best}) AS rank
        FROM accepted SEMI JOIN repeated USING ({key})
    )
    SELECT _sluice_load, _sluice_row FROM ranked WHERE rank > 1""")


def _note_refusals(connection: duckdb.DuckDBPyConnection, plan: Plan, refusals: Refusals, run_id: str) -> None:
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
            "reason": error.message,
            "contract": plan.version,
            "run": run_id,
        }
        connection.execute(
            f"INSERT INTO refusals VALUES ({', '.join('?' * len(REJECTS))})", [known.get(name) for name, _ in REJECTS]
        )


def _rejects(relation: str, plan: Plan) -> str:
    """SELECT of the rejects table's rows: one for each broken rule of each record, plus one for each refused object."""
    selected = """
        _sluice_load AS load_id, _sluice_object AS "object", _sluice_version AS "version", _sluice_order AS object_order,
        _sluice_row AS row_number, {}, _sluice_contract AS contract, _sluice_run AS run"""
    broken = selected.format(
        "CAST(ordinal AS INTEGER) AS ordinal, "
        + ", ".join(f'breach."{field}" AS "{field}"' for field in ("column", "rule", "reason", "value"))
        + f", {RAW} AS raw"
    )
    queries = [
        f"""SELECT {broken} FROM (
            SELECT *, unnest({BROKEN}) AS breach, generate_subscripts({BROKEN}, 1) AS ordinal
            FROM {relation} WHERE {BROKEN} IS NOT NULL)""",
        "SELECT * FROM refusals",
    ]
    if rejects_repeats(plan):
        key = ", ".join(plan.primary_key)
        value = f"concat_ws(', ', {', '.join(f'CAST({quote(name)} AS VARCHAR)' for name in plan.primary_key)})"
        repeated = selected.format(
            f"""CAST(1 AS INTEGER) AS ordinal, {literal(key)} AS "column", 'primaryKey' AS "rule",
            {literal(f"expected each {key} once in an object, got it again: ")} || {value} AS reason,
            {value} AS "value", {RAW} AS raw"""
        )
        queries.append(f"SELECT {repeated} FROM {relation} SEMI JOIN repeats USING (_sluice_load, _sluice_row)")
    order = "load_id, row_number, ordinal"
    return f"SELECT * FROM ({' UNION ALL '.join(queries)}) ORDER BY {order}"


def _accounts(
    connection: duckdb.DuckDBPyConnection, relation: str, plan: Plan, loads: Sequence[str], refusals: Refusals
) -> tuple[LoadSummary, ...]:
    counted = connection.execute(f"""
        SELECT _sluice_load, count(*), count(*) FILTER ({BROKEN} IS NULL) FROM {relation} GROUP BY ALL""").fetchall()
    read = {load: (rows, fine) for load, rows, fine in counted}
    lost = dict(connection.execute("SELECT _sluice_load, count(*) FROM repeats GROUP BY ALL").fetchall())
    rejects = _counts(connection, f"SELECT _sluice_load, {BROKEN}[1] AS breach FROM {relation} WHERE {BROKEN} IS NOT NULL")
    warnings = _counts(connection, f"SELECT _sluice_load, unnest({WARNED}) AS breach FROM {relation}")
    stops = _counts(connection, f"SELECT * FROM (SELECT _sluice_load, unnest({BROKEN}) AS breach FROM {relation}) WHERE breach.stops")
    refused = {source.load_id: f"{error.rule}: {error.message}" for source, error in refusals}
    summaries = []
    for load in loads:
        rows, fine = read.get(load, (0, 0))
        repeats = lost.get(load, 0)
        repeat_rejects = repeats if rejects_repeats(plan) else 0
        named = rejects[load]
        if repeat_rejects:
            named = (*named, RejectCount(column=", ".join(plan.primary_key), rule="primaryKey", rows=repeat_rejects))
        summaries.append(
            LoadSummary(
                load_id=load,
                rows_read=rows,
                rows_accepted=fine - repeats,
                rows_rejected=rows - fine + repeat_rejects,
                rows_superseded=repeats - repeat_rejects,
                rejects=named,
                warnings=warnings[load],
                stops=stops[load],
                refused=refused.get(load),
            )
        )
    return tuple(summaries)


def _counts(connection: duckdb.DuckDBPyConnection, breaches: str) -> defaultdict[str, tuple[RejectCount, ...]]:
    """Counts by load, column and rule of a SELECT of (load, breach)."""
    found = connection.execute(f"""
        SELECT _sluice_load, breach."column", breach."rule", count(*) AS broken
        FROM ({breaches}) GROUP BY ALL ORDER BY ALL""").fetchall()
    counts: defaultdict[str, tuple[RejectCount, ...]] = defaultdict(tuple)
    for load, column, rule, rows in found:
        counts[load] += (RejectCount(column=column, rule=rule, rows=rows),)
    return counts


def _check(summaries: Sequence[LoadSummary], data: Sequence[OutputFile]) -> None:
    """Conservation, once more from the other end: what the files hold is what the accounts say."""
    accepted, written = sum(load.rows_accepted for load in summaries), sum(file.rows for file in data)
    if accepted != written:
        raise RuntimeError(f"conservation is broken: {accepted} rows accepted, {written} written")
