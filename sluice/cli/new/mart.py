"""The first mart of a dataset: how many rows on each day or of each kind. Pure."""

from __future__ import annotations

from sluice.contract.plan import Plan

_KINDS = ("string", "boolean", "int", "bigint")


def first_mart(plan: Plan) -> str:
    """Return a SELECT that counts rows by the dataset's first date, else by its first column that is no key.

    The user is meant to replace it: it shows the header of a mart, and gives a first table to look at.
    """
    by = _grouping(plan)
    header = (
        f"-- How much is there{f', by {by[0]}' if by else ''}?\n-- ---\n-- materialized: table\n"
        f"-- description: Rows of {plan.dataset}{f' by {by[0]}' if by else ''}.\n"
        + (f"-- keys: [{_quoted(by[0])}]\n" if by else "")
        + "-- tests:\n--   - not_null: [rows_loaded]\n-- ---\n"
    )
    if by is None:
        return f"{header}SELECT count(*) AS rows_loaded\nFROM {_quoted(plan.dataset)}\n"
    name, expression = by
    return (
        f"{header}SELECT\n    {expression} AS {_quoted(name)},\n    count(*) AS rows_loaded\n"
        f"FROM {_quoted(plan.dataset)}\nWHERE {expression} IS NOT NULL\nGROUP BY {expression}\n"
    )


def _grouping(plan: Plan) -> tuple[str, str] | None:
    """Return the name and the expression of the column to count by; None if no column is fit for it."""
    for column in plan.columns:
        if column.type == "date":
            return column.name, _quoted(column.name)
        if column.type.startswith("timestamp"):
            return f"{column.name}_day", f"CAST({_quoted(column.name)} AS date)"
    for column in plan.columns:
        if column.type in _KINDS and column.name not in plan.primary_key:
            return column.name, _quoted(column.name)
    return None


def _quoted(name: str) -> str:
    return f'"{name}"'
