"""Checks of an object as a whole: what they measure in its accepted rows. `verdict` says what a number means for one.

Measuring reads files, judging is pure: who adds up the shares of an object judges afterwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import assert_never

import duckdb

from sluice.contract.plan import ObjectCheck, Plan
from sluice.contract.sql import literal, quote
from sluice.contract.types import duckdb_type
from sluice.kernel.judging.repeats import scan
from sluice.kernel.layout.partition import Written
from sluice.kernel.outcome import LoadSummary, Measure

_Found = Mapping[int, int | float | None]  # by the check's place in the plan


def needs_whole_objects(plan: Plan) -> bool:
    """Whether shares of an object cannot be judged apart and added up: all its accepted rows must meet in one place."""
    return bool(plan.unique) or any(check.measure in {"repeat", "query"} for check in plan.checks)


def measured(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Written], plan: Plan, summaries: Sequence[LoadSummary]
) -> tuple[LoadSummary, ...]:
    """Return the summaries with what the checks find in the accepted rows, which stand in `files`."""
    counts = _counted(connection, files, plan)
    return tuple(
        summary
        if summary.refused
        else replace(summary, measures=_measures(connection, files, plan, summary, counts[summary.load_id]))
        for summary in summaries
    )


def added(shares: Sequence[LoadSummary], plan: Plan) -> tuple[Measure, ...]:
    """Return the measures of an object whose rows were written in several places."""
    if any(share.refused for share in shares):
        return ()
    held = [share for share in shares if share.rows_accepted] or list(shares)[:1]
    return tuple(
        Measure(check=at, value=_sum([share.measures[at].value for share in held])) for at in range(len(plan.checks))
    )


def _sum(values: Sequence[int | float | None]) -> int | float | None:
    given = [value for value in values if value is not None]
    return sum(given) if len(given) == len(values) else None


def _measures(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Written],
    plan: Plan,
    summary: LoadSummary,
    counts: _Found,
) -> tuple[Measure, ...]:
    found: dict[int, int | float | None] = {**counts}
    for at, check in enumerate(plan.checks):
        match check.measure:
            case "rows":
                found[at] = summary.rows_accepted
            case "query":
                found[at] = _answer(connection, files, plan, summary.load_id, check.sql)
            case "break" | "repeat":
                pass  # counted already
            case _:
                assert_never(check.measure)
    return tuple(Measure(check=at, value=found.get(at, 0)) for at in range(len(plan.checks)))


def _counted(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Written], plan: Plan
) -> defaultdict[str, dict[int, int | float | None]]:
    """Count, for each load with rows, those that break or repeat something, in one pass over the files."""
    counts: defaultdict[str, dict[int, int | float | None]] = defaultdict(dict)
    counted = {at: sql for at, check in enumerate(plan.checks) if (sql := _count(check))}
    if files and counted:
        query = f"SELECT _sluice_load, {', '.join(counted.values())} FROM {scan(files)} GROUP BY _sluice_load"
        for load, *values in connection.execute(query).fetchall():
            counts[load] = dict(zip(counted, values, strict=True))
    return counts


def _count(check: ObjectCheck) -> str:
    """Return an aggregate over the rows of one load; empty for a check that counts no rows by their values."""
    match check.measure:
        case "rows" | "query":
            return ""
        case "break":
            return f"count(*) FILTER (({check.sql}) IS FALSE)"
        case "repeat":
            given = " AND ".join(f"{quote(name)} IS NOT NULL" for name in check.columns)
            values = f"row({', '.join(map(quote, check.columns))})"
            return f"count(*) FILTER ({given}) - count(DISTINCT {values}) FILTER ({given})"
        case _:
            assert_never(check.measure)


def _answer(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Written], plan: Plan, load: str, query: str
) -> int | float | None:
    """Ask a query of the rows of one load. None for what is no number, and where the rows do not let it be computed."""
    names = ", ".join(quote(column.name) for column in plan.columns)
    rows = f"SELECT {names} FROM {scan(files)} WHERE _sluice_load = {literal(load)}"
    if not files:
        columns = ", ".join(f"NULL::{duckdb_type(column.type)} AS {quote(column.name)}" for column in plan.columns)
        rows = f"SELECT {columns} WHERE false"
    try:
        (value,) = connection.execute(f"WITH source AS ({rows}) SELECT ({query})").fetchone() or (None,)
    except (
        duckdb.DataError,
        duckdb.InvalidInputException,
    ):  # a cast, an overflow: the data's fault, the same each time
        return None
    if isinstance(value, Decimal | float):
        return float(value)
    return int(value) if isinstance(value, int) else None
