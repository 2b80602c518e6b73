"""Queries of a contract's sql checks: one SELECT over one object's rows that yields one number.

As in `derive`, the parser writes the query again and each bare word of the result must be known, so that what was
checked is what runs, and nothing but the rows at hand decides the answer.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp

from sluice.contract.derive import MAX_LENGTH, refuse_unknown_words

SOURCE = "source"  # what the rows are called in the query that the kernel runs
# Without order, windows and samples: the answer must not depend on the order in which rows happen to be read.
_WORDS = """
select from where with group by having all exists filter within union except intersect
count sum avg min max median stddev stddev_pop stddev_samp var_pop var_samp variance quantile quantile_cont
quantile_disc bool_and bool_or count_if corr covar_pop covar_samp entropy kurtosis skewness
"""
_KNOWN = frozenset(_WORDS.split())
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}|(?<!\$)\{(\w+)\}")
_AGGREGATES = (exp.AggFunc, exp.Count)


def checked_query(text: str, *, tables: frozenset[str], columns: frozenset[str], column: str | None) -> str:
    """Check and write a query over the table `source`. Raises ValueError with the reason.

    `tables` are the object's names in it, beside the standard's placeholders `${object}` and `${property}`.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH} characters")
    try:
        trees = sqlglot.parse(_filled(text, column), read="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise ValueError(f"it is no SQL: {str(error).splitlines()[0]}") from error
    if len(trees) != 1 or not isinstance(tree := trees[0], exp.Select):
        raise ValueError("it is not exactly one SELECT")
    _check_one_number(tree)
    _check_tables(tree, tables)
    own = {item.alias for item in tree.find_all(exp.Alias, exp.TableAlias) if item.alias}
    for name in tree.find_all(exp.Column):
        if name.name not in columns and name.name not in own:
            raise ValueError(f"there is no column {name.sql(dialect='duckdb')}")
    for found in tree.find_all(exp.Parameter, exp.Placeholder, exp.Lambda):
        raise ValueError(f"{found.sql(dialect='duckdb')!r} is not understood in it")
    written = tree.sql(dialect="duckdb", identify=True, comments=False)
    refuse_unknown_words(written, also=_KNOWN)
    return written


def _filled(text: str, column: str | None) -> str:
    def name(found: re.Match[str]) -> str:
        word = found[1] or found[2]
        if word in {"object", "table", "model"}:
            return SOURCE
        if word in {"property", "column"} and column:
            return f'"{column}"'
        raise ValueError(f"{found[0]} is not understood")

    return _PLACEHOLDER.sub(name, text)


def _check_one_number(tree: exp.Select) -> None:
    """True for an aggregate without groups: it yields one row for any rows."""
    grouped = [part for part in ("group", "having", "limit", "offset", "qualify") if tree.args.get(part)]
    if grouped:
        raise ValueError(f"its outer SELECT has {grouped[0].upper()}, so it may not yield exactly one row")
    outer = [
        found
        for item in tree.expressions
        for found in item.find_all(*_AGGREGATES)
        if found.find_ancestor(exp.Select) is tree and not isinstance(found.parent, exp.Window)
    ]
    if len(tree.expressions) != 1 or not outer:
        raise ValueError("its outer SELECT is not one aggregate such as count(*) or sum(x)")


def _check_tables(tree: exp.Select, tables: frozenset[str]) -> None:
    """Only the rows at hand: the object by its names, common table expressions, subqueries; no joins, no functions."""
    within = {item.alias for item in tree.find_all(exp.CTE)}
    if SOURCE in within or tables & within:
        raise ValueError("a common table expression has the name of the object")
    for found in tree.find_all(exp.Join):
        raise ValueError(f"{found.sql(dialect='duckdb')!r}: a join can be larger than the machine; use subqueries")
    for table in tree.find_all(exp.Table):
        plain = isinstance(table.this, exp.Identifier) and not (table.db or table.catalog)
        if not plain or table.name not in {SOURCE, *tables, *within}:
            raise ValueError(f"it reads {table.sql(dialect='duckdb')!r}, which is not the object")
        if table.name in tables:
            table.set("this", exp.to_identifier(SOURCE))
    if tree.args.get("with") is None and not list(tree.find_all(exp.Table)):
        raise ValueError("it reads nothing")
