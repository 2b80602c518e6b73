"""The account of each load, counted in the files that were written: what is in no file is in no account."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import duckdb

from sluice.contract.plan import Plan
from sluice.contract.sql import literal
from sluice.kernel.judging.examine import rejects_repeats
from sluice.kernel.judging.rejects import Refusals
from sluice.kernel.layout.partition import Written
from sluice.kernel.outcome import LoadSummary, RejectCount

_Counts = defaultdict[str, tuple[RejectCount, ...]]  # by load


def summaries(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    loads: Sequence[str],
    refusals: Refusals,
    *,
    good: Sequence[Written],
    rejects: Sequence[Written],
    broken: bool,
) -> tuple[LoadSummary, ...]:
    """Account for each of `loads`. Reads the tables of `write`: `repeats`, and `broken` if there is one."""
    accepted = _rows_by_load(connection, good)
    rejected = _rejected(connection, rejects)
    superseded: dict[str, int] = {}
    if not rejects_repeats(plan):
        superseded = dict(connection.execute("SELECT _sluice_load, count(*) FROM repeats GROUP BY ALL").fetchall())
    warned = _warnings(connection, good, plan)
    stops = _stops(connection) if broken and any(rule.severity == "stop" for rule in plan.rules) else _Counts(tuple)
    refused = {source.load_id: f"{error.rule}: {error.message}" for source, error in refusals}
    return tuple(
        LoadSummary(
            load_id=load,
            rows_read=accepted[load] + superseded.get(load, 0) + sum(count.rows for count in rejected[load]),
            rows_accepted=accepted[load],
            rows_rejected=sum(count.rows for count in rejected[load]),
            rows_superseded=superseded.get(load, 0),
            rejects=rejected[load],
            warnings=warned[load],
            stops=stops[load],
            refused=refused.get(load),
        )
        for load in loads
    )


def _rows_by_load(connection: duckdb.DuckDBPyConnection, files: Sequence[Written]) -> defaultdict[str, int]:
    rows: defaultdict[str, int] = defaultdict(int)
    if files:
        query = f"SELECT _sluice_load, count(*) FROM {_scan(files)} GROUP BY ALL"
        rows.update(connection.execute(query).fetchall())
    return rows


def _rejected(connection: duckdb.DuckDBPyConnection, files: Sequence[Written]) -> _Counts:
    """Count records by the first rule that they break."""
    if not files:
        return _Counts(tuple)
    return _counts(
        connection,
        f"""SELECT load_id, "column", "rule", count(*) FROM {_scan(files)}
        WHERE ordinal = 1 AND row_number IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    )


def _stops(connection: duckdb.DuckDBPyConnection) -> _Counts:
    return _counts(
        connection,
        """SELECT _sluice_load, breach."column", breach."rule", count(*)
        FROM (SELECT _sluice_load, unnest(breaches) AS breach FROM broken) WHERE breach.stops
        GROUP BY ALL ORDER BY ALL""",
    )


def _warnings(connection: duckdb.DuckDBPyConnection, files: Sequence[Written], plan: Plan) -> _Counts:
    """Count accepted records that break a rule which only warns. Rules are about typed columns, so files tell."""
    rules = [rule for rule in plan.rules if rule.severity == "warn"]
    if not (files and rules):
        return _Counts(tuple)
    return _counts(
        connection,
        " UNION ALL ".join(
            f"""
            SELECT
                _sluice_load, {literal(rule.column) if rule.column else "NULL::VARCHAR"}, {literal(rule.name)}, count(*)
            FROM {_scan(files)} WHERE ({rule.predicate}) IS FALSE GROUP BY _sluice_load"""
            for rule in rules
        ),
    )


def _counts(connection: duckdb.DuckDBPyConnection, query: str) -> _Counts:
    """Collect the rows (load, column, rule, count) of a query."""
    counts: _Counts = _Counts(tuple)
    for load, column, rule, rows in connection.execute(query).fetchall():
        counts[load] += (RejectCount(column=column, rule=rule, rows=rows),)
    return counts


def _scan(files: Sequence[Written]) -> str:
    return f"read_parquet([{', '.join(literal(str(file.path)) for file in files)}], hive_partitioning = false)"
