"""A typed Athena query said in DuckDB SQL: the rewritings where the engines differ. Nothing is executed here.

Each rewriting names the difference. Other constructs mean the same in both engines, as the tests show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot import ErrorLevel, exp, parse_one
from sqlglot.errors import UnsupportedError

from sluice.warehouse.analyse import TYPE
from sluice.warehouse.query import QueryError, line_of
from sluice.warehouse.subset import DATE_TEXT, TIMESTAMP_TEXT
from sluice.warehouse.types import FLOATS, INTEGERS, is_decimal

# DuckDB gives these another type (HUGEINT, TINYINT, DOUBLE, TIMESTAMP for a date): back to Athena's.
_RETYPED = (exp.Sum, exp.Sign, exp.Ceil, exp.Floor, exp.Round, exp.TimestampTrunc, exp.Ntile)
_WRAPPERS = (exp.Filter, exp.Window)


def to_duckdb(tree: exp.Query) -> str:
    """Write DuckDB SQL for an analysed query (`Analysis.tree`), which is consumed. Raises QueryError."""
    holder = exp.Subquery(this=tree)
    for node in reversed(list(tree.walk(bfs=False))):  # children before parents
        text = _rewritten(node)
        if text is not None:
            new = parse_one(text, read="duckdb")
            new.meta.update(node.meta)
            node.replace(new)
    return _say(holder.this)


def kind_of(node: exp.Expr) -> str:
    """Return the Athena type that the analysis gave to a node; empty for a part of the query's shape."""
    return str(node.meta.get(TYPE, ""))


def _rewritten(node: exp.Expr) -> str | None:
    rewrite = _REWRITES.get(type(node))
    text = rewrite(node) if rewrite is not None else None
    if isinstance(_call_in(node), _RETYPED) and not _has_wrapper(node):
        return _cast(text or _say(node), kind_of(node))
    return text


def _say(node: exp.Expr) -> str:
    try:
        return node.sql("duckdb", unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise QueryError(f"the offline Athena cannot say it in DuckDB: {error}", line=line_of(node)) from error


def _call_in(node: exp.Expr) -> exp.Expr:
    """Find the function inside its FILTER and OVER."""
    while isinstance(node, _WRAPPERS):
        node = node.this
    return node


def _has_wrapper(node: exp.Expr) -> bool:
    return isinstance(node.parent, _WRAPPERS) and node.arg_key == "this"


def _cast(text: str, kind: str) -> str:
    return f"CAST({text} AS {kind})"


def _fail(message: str, kind: str) -> str:
    return f"CAST(error('{message}') AS {kind})"


def _divisor(node: exp.Expr) -> str:
    """Make division of integers by zero an error, as in Athena; in DuckDB it is NULL."""
    divisor = _say(node)
    if isinstance(node, exp.Literal) and node.name.strip("0"):
        return divisor
    return f"(CASE WHEN ({divisor}) = 0 THEN {_fail('Division by zero', kind_of(node))} ELSE ({divisor}) END)"


def _divide(node: exp.Expr) -> str | None:
    """Divide integers: 7 / 2 is 3 in Athena, 3.5 in DuckDB."""
    if kind_of(node) not in INTEGERS:
        return None
    return f"(({_say(node.this)}) // {_divisor(node.expression)})"


def _modulo(node: exp.Expr) -> str:
    return f"(({_say(node.this)}) % {_divisor(node.expression)})"


def _convert(node: exp.Expr) -> str:
    text, source, target = _say(node.this), kind_of(node.this), kind_of(node)
    if source == "varchar" and target in ("date", "timestamp"):
        return _parse_time(node.this, target)
    if source in FLOATS and target in INTEGERS:  # Athena rounds halves away from zero, DuckDB to even
        return _cast(f"ROUND({text})", target)
    if source in FLOATS and is_decimal(target):  # Athena rounds the shortest text of the double: 1.005 is 1.01
        return _cast(f"CAST({text} AS VARCHAR)", target)
    return _cast(text, target)


def _parse_time(node: exp.Expr, target: str) -> str:
    """Read only texts that both engines read alike as times; DuckDB reads more than Athena does."""
    text, pattern = _say(node), DATE_TEXT if target == "date" else TIMESTAMP_TEXT
    if isinstance(node, exp.Literal):
        if not re.fullmatch(pattern, node.name):
            raise QueryError(f"{node.name!r} as {target}", line=line_of(node), remedy="like 2013-01-31")
        return _cast(text, target)
    fail = _fail(f"Value cannot be cast to {target}", target)
    return (
        f"(CASE WHEN ({text}) IS NULL OR regexp_full_match({text}, '{pattern}') "
        f"THEN CAST({text} AS {target}) ELSE {fail} END)"
    )


def _date(node: exp.Expr) -> str:
    return _parse_time(node.this, "date") if kind_of(node.this) == "varchar" else _cast(_say(node.this), "date")


def _move(node: exp.Expr) -> str | None:
    """Keep a date plus days a date, as in Athena; in DuckDB it is a timestamp."""
    return _cast(_say(node), "date") if kind_of(node) == "date" else None


def _date_add(node: exp.Expr) -> str:
    unit = node.text("unit").lower()
    number = f"CAST({_say(node.expression)} AS {'bigint' if unit in ('second', 'minute', 'hour') else 'integer'})"
    return _cast(f"({_say(node.this)}) + to_{unit}s({number})", kind_of(node))


def _date_diff(node: exp.Expr) -> str:
    """Count whole units that passed, as Athena does, which is DuckDB's date_sub; its date_diff counts boundaries."""
    ends = [_say(node.expression), _say(node.this)]
    if kind_of(node.this) == "timestamp":  # Athena counts from whole milliseconds
        ends = [f"date_trunc('millisecond', {end})" for end in ends]
    return f"date_sub('{node.text('unit').lower()}', {', '.join(ends)})"


def _part(name: str) -> Callable[[exp.Expr], str]:
    return lambda node: f"{name}({_say(node.this)})"


def _extract(node: exp.Expr) -> str:
    field = node.name.lower()
    return f"{_EXTRACTED.get(field, field)}({_say(node.expression)})"


def _format(node: exp.Expr) -> str:
    """Fail on a NULL argument: it prints as `null` in Athena and makes DuckDB's result NULL."""
    values = [_say(value) for value in node.expressions]
    call = f"printf({', '.join([_say(node.this), *values])})"
    if not values:
        return call
    missing = " OR ".join(f"({value}) IS NULL" for value in values)
    return f"(CASE WHEN {missing} THEN error('format() of NULL') ELSE {call} END)"


def _strftime(node: exp.Expr) -> str:
    text = _say(node.this)
    if kind_of(node.this) == "timestamp":  # Athena rounds to milliseconds first, up into the next day too
        text = f"date_trunc('millisecond', ({text}) + INTERVAL 500 MICROSECONDS)"
    return f"strftime({text}, {_say(node.args['format'])})"


def _replace(node: exp.Expr) -> str:
    new, old = node.args.get("replacement"), _say(node.expression)
    call = f"replace({_say(node.this)}, {old}, {_say(new) if new else repr('')})"
    if isinstance(node.expression, exp.Literal):
        return call
    return f"(CASE WHEN {old} = '' THEN {_fail('replace() of an empty text', 'varchar')} ELSE {call} END)"


def _extreme(node: exp.Expr) -> str | None:
    """Answer NULL where one argument is NULL; DuckDB leaves NULLs out."""
    values = [_say(value) for value in (node.this, *node.expressions)]
    missing = " OR ".join(f"({value}) IS NULL" for value in values)
    if kind_of(node) in FLOATS:  # the engines order it differently
        odd = " OR ".join(f"isnan(CAST({value} AS DOUBLE))" for value in values)
        missing = f"{missing} THEN NULL WHEN {odd} THEN {_fail(f'{node.key}() of NaN', kind_of(node))} WHEN false"
    return f"(CASE WHEN {missing} THEN NULL ELSE {node.key}({', '.join(values)}) END)"


def _count_if(node: exp.Expr) -> str:
    """Count no row as 0; DuckDB's count_if is NULL where every condition is NULL."""
    return f"count(CASE WHEN {_say(node.this)} THEN 1 END)"


def _by(name: str) -> Callable[[exp.Expr], str]:
    """Take the value beside the extreme, also when that value is NULL; DuckDB's arg_max leaves those rows out."""
    return lambda node: f"{name}({_say(node.this)}, {_say(node.expression)})"


def _average(node: exp.Expr) -> str:
    """Add as doubles, as Athena does; DuckDB adds whole numbers exactly."""
    if isinstance(node.this, exp.Distinct):
        return f"avg(DISTINCT {_cast(_say(node.this.expressions[0]), 'double')})"
    text = _cast(_say(node.this), "double")
    if kind_of(node.this) != "bigint":
        return f"avg({text})"
    fail = _fail("avg() of whole numbers beyond 2^53 depends on their order", "double")
    return f"avg(CASE WHEN abs({text}) > 9007199254740992 THEN {fail} ELSE {text} END)"


def _upper(node: exp.Expr) -> str:
    """Keep the sharp s, as Athena does; DuckDB makes a capital one of it."""
    text = _say(node.this)
    return f"replace(upper(replace({text}, '\u00df', chr(57344))), chr(57344), '\u00df')"


def _lag(node: exp.Expr) -> str | None:
    """Bring value and default to their common type; DuckDB casts the default to the value's."""
    default, offset = node.args.get("default"), node.args.get("offset")
    if default is None or offset is None:
        return None
    return f"{node.key}({_cast(_say(node.this), kind_of(node))}, {_say(offset)}, {_say(default)})"


_EXTRACTED = {
    "week": "weekofyear",
    "dow": "isodow",
    "day_of_week": "isodow",
    "doy": "dayofyear",
    "day_of_year": "dayofyear",
}
_REWRITES: Mapping[type[exp.Expr], Callable[[exp.Expr], str | None]] = {
    exp.Div: _divide,
    exp.Mod: _modulo,
    exp.Cast: _convert,
    exp.Date: _date,
    exp.Add: _move,
    exp.Sub: _move,
    exp.DateAdd: _date_add,
    exp.DateDiff: _date_diff,
    exp.Extract: _extract,
    exp.Year: _part("year"),
    exp.Quarter: _part("quarter"),
    exp.Month: _part("month"),
    exp.WeekOfYear: _part("weekofyear"),
    exp.Day: _part("day"),
    exp.DayOfMonth: _part("day"),
    exp.DayOfYear: _part("dayofyear"),
    exp.DayOfWeekIso: _part("isodow"),  # Athena counts Monday 1 to Sunday 7, DuckDB's dayofweek Sunday 0
    exp.Hour: _part("hour"),
    exp.Minute: _part("minute"),
    exp.Second: _part("second"),
    exp.Format: _format,
    exp.TimeToStr: _strftime,
    exp.Replace: _replace,
    exp.Greatest: _extreme,
    exp.Least: _extreme,
    exp.CountIf: _count_if,
    exp.Avg: _average,
    exp.Upper: _upper,
    exp.Lag: _lag,
    exp.Lead: _lag,
    exp.ArgMax: _by("arg_max_null"),
    exp.ArgMin: _by("arg_min_null"),
}
