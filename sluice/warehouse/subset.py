"""The SELECT subset: the part of Athena SQL for which tests show that the offline Athena answers as Athena does.

One rule per construct: from the types of its arguments to the type of its result, or to a reason why it stays out.
Marts are held to it at synth, the offline Athena at run time. How a construct is said in DuckDB: `sluice/local/athena`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from sluice.warehouse.types import (
    INTEGERS,
    UNKNOWN,
    common,
    common_of,
    decimal,
    decimal_parts,
    is_decimal,
    is_numeric,
    product_of,
    sum_of,
)

# Names that may stand before an opening parenthesis. Everything else that Athena knows is refused, with this list.
FUNCTIONS = frozenset(
    {
        *("count", "count_if", "sum", "avg", "min", "max", "any_value", "arbitrary", "max_by", "min_by"),
        *("bool_and", "bool_or", "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"),
        *("row_number", "rank", "dense_rank", "percent_rank", "ntile", "lag", "lead", "first_value", "last_value"),
        *("abs", "ceil", "ceiling", "floor", "round", "sign", "sqrt", "power", "pow", "exp", "ln", "mod"),
        *("greatest", "least", "coalesce", "nullif", "if", "cast"),
        *("lower", "upper", "length", "concat", "substr", "substring", "replace", "strpos", "lpad", "rpad"),
        *("starts_with", "format"),
        *("date", "date_trunc", "date_diff", "date_add", "date_format", "extract"),
        *("year", "quarter", "month", "week", "week_of_year", "day", "day_of_month", "day_of_year", "doy"),
        *("day_of_week", "dow", "hour", "minute", "second"),
    }
)
UNITS = frozenset({"second", "minute", "hour", "day", "week", "month", "quarter", "year"})
INTERVAL_UNITS = frozenset({"SECOND", "MINUTE", "HOUR", "DAY", "MONTH", "YEAR"})
ELAPSED_UNITS = UNITS - {"month", "quarter", "year"}
DATE_FORMATS = frozenset("YmdHisS")
_BEYOND_INTEGER = str(1 << 31)
DATE_TEXT = r"\d{4}-\d{2}-\d{2}"
TIMESTAMP_TEXT = (
    DATE_TEXT + r"( ([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,3})?)?)?"
)  # a cast to timestamp rounds to milliseconds in Athena
FORMAT = re.compile(r"(?:[^%]|%%|%(?:0\d)?d|%s)*")

# Shapes of a query. They have no type; their parts are checked.
STRUCTURE: frozenset[type[exp.Expr]] = frozenset(
    {
        *(exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset),
        *(exp.With, exp.CTE, exp.Subquery, exp.Table, exp.TableAlias, exp.Identifier, exp.Distinct, exp.WindowSpec),
        *(exp.Rollup, exp.Cube, exp.GroupingSets, exp.Var, exp.Values, exp.Tuple),
    }
)

Rule = Callable[[exp.Expr, Sequence[str]], str | None]


class Refused(Exception):  # noqa: N818 (a reason, turned into an error where file and line are known)
    """Why a construct stays out, and what to write instead."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason, self.remedy = reason, remedy
        super().__init__(reason)


def _gives(result: str, *expected: str) -> Rule:
    """Give a fixed result for arguments that match `expected`, position by position (the last one may repeat)."""

    def rule(_: exp.Expr, args: Sequence[str]) -> str | None:
        kinds = [expected[min(place, len(expected) - 1)] for place in range(len(args))] if expected else []
        return result if all(_is(kind, name) for kind, name in zip(kinds, args, strict=False)) else None

    return rule


def _is(kind: str, name: str) -> bool:
    match kind:
        case "any":
            return True
        case "number":
            return is_numeric(name)
        case "integer":
            return name in (*INTEGERS, UNKNOWN)
        case "temporal":
            return name in ("date", "timestamp", UNKNOWN)
    return name in (kind, UNKNOWN)


def _same(kind: str) -> Rule:
    """Give the type of the first argument."""
    return lambda _, args: args[0] if _is(kind, args[0]) else None


def _shared(_: exp.Expr, args: Sequence[str]) -> str | None:
    return common_of(args)


def _compared(_: exp.Expr, args: Sequence[str]) -> str | None:
    return "boolean" if common_of(args) is not None else None


def _sum(_: exp.Expr, args: Sequence[str]) -> str | None:
    if args[0] in INTEGERS:
        return "bigint"
    parts = decimal_parts(args[0])
    return decimal(38, parts[1]) if parts else args[0] if is_numeric(args[0]) else None


def _avg(_: exp.Expr, args: Sequence[str]) -> str | None:
    if is_decimal(args[0]):
        raise Refused("avg of a decimal is rounded to its scale by Athena", "avg(CAST(x AS double))")
    return "real" if args[0] == "real" else "double" if is_numeric(args[0]) else None


def _moved(operation: Callable[[str, str], str | None]) -> Rule:
    """Addition and subtraction, of an interval too: a date stays a date when days or months are added."""

    def rule(node: exp.Expr, args: Sequence[str]) -> str | None:
        if isinstance(node.expression, exp.Interval):
            if args[0] == "date" and node.expression.text("unit").lower() not in UNITS - {"second", "minute", "hour"}:
                return None
            return args[0] if _is("temporal", args[0]) else None
        return operation(args[0], args[1])

    return rule


def _divided(_: exp.Expr, args: Sequence[str]) -> str | None:
    shared = common(args[0], args[1])
    if shared is not None and is_decimal(shared):
        raise Refused(
            "division of decimals is rounded to their scale by Athena (100.0 * 1 / 3 is 33.3)",
            "CAST one side to double, or write the constant as a double: 1e2",
        )
    return shared if shared is not None and is_numeric(shared) else None


def _rounded(node: exp.Expr, args: Sequence[str]) -> str | None:
    if is_decimal(args[0]):
        raise Refused(f"{node.key}() of a decimal changes its type in Athena", "CAST(x AS decimal(p,s)) rounds half up")
    places = node.args.get("decimals")
    if places is not None and not isinstance(places, exp.Literal):
        raise Refused("round() takes a constant number of places", "round(x, 2)")
    return args[0] if is_numeric(args[0]) else None


def _cast(node: exp.Expr, args: Sequence[str]) -> str | None:
    target, source = type_name(node.args["to"]), args[0]
    if target is None:
        raise Refused(f"cast to {node.args['to'].sql('athena')}", "one of " + ", ".join(sorted(_CASTS)))
    if source in (UNKNOWN, target):
        return target
    kinds = _CASTS["decimal" if is_decimal(target) else target]
    if source == "varchar" and isinstance(node.this, exp.Literal) and target in ("date", "timestamp"):
        if not re.fullmatch(DATE_TEXT if target == "date" else TIMESTAMP_TEXT, node.this.name):
            raise Refused(f"{node.this.name!r} as {target}", "like 2013-01-31" + " 23:59:59" * (target != "date"))
        return target
    if ("decimal" if is_decimal(source) else source) not in kinds:
        raise Refused(
            f"a cast from {source} to {target} is not the same offline", "read the column typed from its table"
        )
    return target


_NUMBERS = ("integer", "bigint", "double", "decimal")
_CASTS: Mapping[str, tuple[str, ...]] = {
    "integer": (*_NUMBERS, "boolean"),
    "bigint": (*_NUMBERS, "boolean"),
    "double": (*_NUMBERS, "real"),
    "decimal": _NUMBERS,
    "varchar": ("integer", "bigint", "decimal", "boolean", "date"),
    "date": ("timestamp", "varchar"),
    "timestamp": ("date",),
    "boolean": (),
}


def type_name(target: exp.Expr) -> str | None:
    """Find the subset's name of a type written in SQL, None if it stays out."""
    text = target.sql("athena").lower().replace(" ", "")
    if text == "decimal":
        raise Refused("decimal without precision and scale means decimal(38,0) in Athena", "decimal(10,2)")
    text = re.sub(r"^timestamp\(\d\)$", "timestamp", re.sub(r"^int$", "integer", text))
    return text if text in _CASTS or is_decimal(text) else None


def _substring(node: exp.Expr, args: Sequence[str]) -> str | None:
    start = node.args.get("start")
    if not (isinstance(start, exp.Literal) and start.is_int and int(start.name) > 0):
        raise Refused("substr() takes a constant start of 1 or more", "substr(x, 1, 3)")
    size = node.args.get("length")
    if isinstance(size, exp.Neg):
        raise Refused("substr() of a negative length", "substr(x, 1, 3)")
    return "varchar" if _is("varchar", args[0]) else None


def _padded(node: exp.Expr, args: Sequence[str]) -> str | None:
    filling = node.args.get("fill_pattern")
    if filling is None or (isinstance(filling, exp.Literal) and not filling.name):
        raise Refused("lpad() and rpad() take three arguments, the last not empty", "lpad(x, 20, ' ')")
    return "varchar" if _is("varchar", args[0]) and _is("integer", args[1]) and _is("varchar", args[2]) else None


def _replaced(node: exp.Expr, args: Sequence[str]) -> str | None:
    if isinstance(node.expression, exp.Literal) and not node.expression.name:
        raise Refused("replace() of an empty text puts something between all characters", "name what is replaced")
    return "varchar" if all(_is("varchar", name) for name in args) else None


def _joined(_: exp.Expr, args: Sequence[str]) -> str | None:
    if UNKNOWN in args:
        raise Refused("|| with a bare NULL is ambiguous in Athena", "CAST(NULL AS varchar)")
    return "varchar" if all(_is("varchar", name) for name in args) else None


def _negated(node: exp.Expr, args: Sequence[str]) -> str | None:
    if isinstance(node.this, exp.Literal) and node.this.name == _BEYOND_INTEGER:
        return "integer"  # the smallest one
    return args[0] if is_numeric(args[0]) else None


def _added(_: exp.Expr, args: Sequence[str]) -> str | None:
    return args[0] if _is("temporal", args[0]) and _is("integer", args[1]) else None


def _best(node: exp.Expr, args: Sequence[str]) -> str | None:
    if node.args.get("count") is not None:
        raise Refused("max_by() and min_by() with a number give an array", "max_by(x, y)")
    return args[0]


def _format(node: exp.Expr, args: Sequence[str]) -> str | None:
    if not (isinstance(node.this, exp.Literal) and FORMAT.fullmatch(node.this.name)):
        raise Refused("format() takes a constant of text, %d, %02d and %s", "format('%04d-%02d', year, month)")
    if not node.expressions:
        raise Refused("format() takes at least one value", "the text itself")
    places = re.findall(r"%(?:0\d)?[ds]", node.this.name.replace("%%", ""))
    fits = ["integer" if place.endswith("d") else "varchar" for place in places]
    return "varchar" if len(fits) == len(args) - 1 and all(map(_is, fits, args[1:])) else None


def _date_format(node: exp.Expr, args: Sequence[str]) -> str | None:
    text = node.args["format"]
    # sqlglot reads Athena's specifiers as strftime's: %i has become %M, %S is %S in both.
    if not isinstance(text, exp.Literal) or set(re.findall(r"%(.)", text.name)) - set("YmdHMS"):
        raise Refused("date_format() takes a constant of %Y %m %d %H %i %s", "date_format(x, '%Y-%m-%d')")
    return "varchar" if _is("temporal", args[0]) else None


def _unit(allowed: frozenset[str], rule: Rule) -> Rule:
    def checked(node: exp.Expr, args: Sequence[str]) -> str | None:
        unit = node.text("unit").lower()
        if unit not in allowed:
            raise Refused(f"unit {unit!r}", "one of " + ", ".join(sorted(allowed)))
        if "date" in args and unit in ("second", "minute", "hour"):
            raise Refused(f"unit {unit!r} of a date", "CAST(x AS timestamp)")
        return rule(node, args)

    return checked


def _dates(_: exp.Expr, args: Sequence[str]) -> str | None:
    if args[0] != args[1]:
        raise Refused("date_diff() of a date and a timestamp", "CAST both to the same type")
    return "bigint" if args[0] in ("date", "timestamp") else None


def _extract(node: exp.Expr, args: Sequence[str]) -> str | None:
    allowed = UNITS | {"dow", "doy", "day_of_week", "day_of_year"}
    if node.name.lower() not in allowed:
        raise Refused(f"EXTRACT of {node.name.lower()}", "one of " + ", ".join(sorted(allowed)))
    return "bigint" if _is("temporal", args[0]) else None


_TRUTH = _gives("boolean", "boolean")
_PART, _CLOCK = _gives("bigint", "temporal"), _gives("bigint", "timestamp")
_NUMBER_TO_DOUBLE = _gives("double", "number")

RULES: Mapping[type[exp.Expr], Rule] = {
    **dict.fromkeys((exp.And, exp.Or, exp.Not, exp.LogicalAnd, exp.LogicalOr), _TRUTH),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Between), _compared),
    **dict.fromkeys((exp.NullSafeEQ, exp.NullSafeNEQ, exp.In), _compared),
    **dict.fromkeys((exp.Coalesce, exp.Greatest, exp.Least), _shared),
    **dict.fromkeys((exp.Year, exp.Quarter, exp.Month, exp.WeekOfYear, exp.Day, exp.DayOfMonth), _PART),
    **dict.fromkeys((exp.DayOfYear, exp.DayOfWeekIso), _PART),
    **dict.fromkeys((exp.Hour, exp.Minute, exp.Second), _CLOCK),
    **dict.fromkeys((exp.Sqrt, exp.Pow, exp.Exp, exp.Ln), _NUMBER_TO_DOUBLE),
    **dict.fromkeys((exp.Stddev, exp.StddevSamp, exp.StddevPop, exp.Variance, exp.VariancePop), _NUMBER_TO_DOUBLE),
    **dict.fromkeys((exp.RowNumber, exp.Rank, exp.DenseRank, exp.Count), _gives("bigint", "any")),
    **dict.fromkeys((exp.Min, exp.Max, exp.AnyValue), _same("any")),
    **dict.fromkeys((exp.ArgMax, exp.ArgMin), _best),
    **dict.fromkeys((exp.FirstValue, exp.LastValue, exp.Window, exp.Paren, exp.Filter, exp.Alias), _same("any")),
    **dict.fromkeys((exp.Lag, exp.Lead), lambda _, args: common_of([args[0], *args[2:]])),
    **dict.fromkeys((exp.Lower, exp.Upper), _gives("varchar", "varchar")),
    exp.Concat: _gives("varchar", "varchar"),
    exp.DPipe: _joined,
    **dict.fromkeys((exp.Ceil, exp.Floor, exp.Round, exp.Sign), _rounded),
    exp.Abs: _same("number"),
    exp.Neg: _negated,
    exp.Add: _moved(sum_of),
    exp.Sub: _moved(sum_of),
    exp.Mul: lambda _, args: product_of(args[0], args[1]),
    exp.Div: _divided,
    exp.Mod: lambda _, args: common(args[0], args[1]) if {*args} <= {*INTEGERS} else None,
    exp.Is: lambda node, _: "boolean" if isinstance(node.expression, exp.Null) else None,
    exp.Like: _gives("boolean", "varchar"),
    exp.Escape: _gives("boolean", "boolean", "varchar"),
    exp.Exists: _gives("boolean"),
    exp.Nullif: lambda _, args: args[0] if common(args[0], args[1]) else None,
    exp.PercentRank: _gives("double"),
    exp.Ntile: _gives("bigint", "integer"),
    exp.CountIf: _gives("bigint", "boolean"),
    exp.Sum: _sum,
    exp.Avg: _avg,
    exp.Cast: _cast,
    exp.Length: _gives("bigint", "varchar"),
    exp.StrPosition: _gives("bigint", "varchar"),
    exp.StartsWith: _gives("boolean", "varchar"),
    exp.Pad: _padded,
    exp.Replace: _replaced,
    exp.Substring: _substring,
    exp.Format: _format,
    exp.TimeToStr: _date_format,
    exp.Date: lambda _, args: "date" if args[0] in ("timestamp", "date", "varchar", UNKNOWN) else None,
    exp.TimestampTrunc: _unit(UNITS, _same("temporal")),
    exp.DateAdd: _unit(UNITS, _added),
    exp.DateDiff: _unit(ELAPSED_UNITS, _dates),
    exp.Extract: _extract,
}
