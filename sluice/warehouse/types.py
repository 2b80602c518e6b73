"""Athena's types as text (`bigint`, `decimal(6,1)`, `timestamp`) and the rules by which Athena combines them.

Only what expressions need. Where a type comes from (Iceberg, a literal) is here; what a function does with it is in
`subset.py`. `UNKNOWN` is the type of a bare NULL and fits everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

UNKNOWN = "unknown"
INTEGERS = ("integer", "bigint")
FLOATS = ("real", "double")
MAX_PRECISION = 38

_FROM_ICEBERG = {
    "int": "integer",
    "long": "bigint",
    "float": "real",
    "double": "double",
    "string": "varchar",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_DIGITS = {"integer": 10, "bigint": 19}


def from_iceberg(name: str) -> str:
    """Name the Athena type of an Iceberg type; a type outside the subset keeps its name and fits only itself."""
    compact = name.replace(" ", "")
    return _FROM_ICEBERG.get(compact, compact)


def decimal(precision: int, scale: int) -> str:
    """Name a decimal type, its precision cut at Athena's maximum."""
    return f"decimal({min(precision, MAX_PRECISION)},{scale})"


def decimal_parts(name: str) -> tuple[int, int] | None:
    """Return (precision, scale) of a decimal or of the decimal that an integer becomes beside one, else None."""
    if name in _DIGITS:
        return _DIGITS[name], 0
    match = _DECIMAL.fullmatch(name)
    return (int(match[1]), int(match[2])) if match else None


def is_decimal(name: str) -> bool:
    """Tell whether this is a decimal proper (integers are not)."""
    return _DECIMAL.fullmatch(name) is not None


def is_numeric(name: str) -> bool:
    """Tell whether arithmetic takes it."""
    return name in INTEGERS or name in FLOATS or name == UNKNOWN or is_decimal(name)


def of_number(text: str) -> str:
    """Name the type of a number literal: `1` integer, `1.50` decimal(3,2), `1e0` double."""
    if "e" in text.lower():
        return "double"
    whole, point, fraction = text.partition(".")
    if not point:
        return "integer" if int(text) < 1 << 31 else "bigint"
    return decimal(max(len(whole.lstrip("0")) + len(fraction), 1), len(fraction))


def common(left: str, right: str) -> str | None:
    """Find the type to which Athena brings both sides of a comparison, CASE or UNION; None where it refuses."""
    if right in (left, UNKNOWN):
        return left
    if left == UNKNOWN:
        return right
    if is_numeric(left) and is_numeric(right):
        return _common_number(left, right)
    return "timestamp" if {left, right} == {"date", "timestamp"} else None


def common_of(names: Iterable[str]) -> str | None:
    """Fold `common` over several types."""
    result: str | None = UNKNOWN
    for name in names:
        if result is None:
            return None
        result = common(result, name)
    return result


def sum_of(left: str, right: str) -> str | None:
    """Find the type of `left + right`, `left - right`: decimals gain a digit."""
    shared = common(left, right)
    if shared is None or not is_decimal(shared) or UNKNOWN in (left, right):
        return shared if shared is not None and is_numeric(shared) else None
    (p1, s1), (p2, s2) = _both(left, right)
    return decimal(max(p1 - s1, p2 - s2) + max(s1, s2) + 1, max(s1, s2))


def product_of(left: str, right: str) -> str | None:
    """Find the type of `left * right`: the digits and scales of decimals add up."""
    shared = common(left, right)
    if shared is None or not is_decimal(shared) or UNKNOWN in (left, right):
        return shared if shared is not None and is_numeric(shared) else None
    (p1, s1), (p2, s2) = _both(left, right)
    return decimal(p1 + p2, s1 + s2) if s1 + s2 <= MAX_PRECISION else None


def _common_number(left: str, right: str) -> str:
    for approximate in ("double", "real"):
        if approximate in (left, right):
            return approximate
    if left in INTEGERS and right in INTEGERS:
        return "bigint"
    (p1, s1), (p2, s2) = _both(left, right)
    return decimal(max(p1 - s1, p2 - s2) + max(s1, s2), max(s1, s2))


def _both(left: str, right: str) -> tuple[tuple[int, int], tuple[int, int]]:
    first, second = decimal_parts(left), decimal_parts(right)
    if first is None or second is None:
        raise ValueError(f"{left} and {right} are not decimals")
    return first, second
