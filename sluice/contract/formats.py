"""Dates and times in a contract's own format, in the notation of the standard: Java's DateTimeFormatter.

A format becomes a regular expression, which fixes the width of each field, and a strptime format, which reads them.
What depends on a language other than English is refused. Names of months may be in any case.
"""

from __future__ import annotations

import re

from sluice.contract.sql import literal
from sluice.contract.types import duckdb_type
from sluice.contract.zones import instant, localized

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_LONG_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
# Field: strptime specifier, regular expression, parts of the moment that it fixes.
_FIELDS: dict[str, tuple[str, str, str]] = {
    "yyyy": ("%Y", "[0-9]{4}", "y"),
    "uuuu": ("%Y", "[0-9]{4}", "y"),
    "yy": ("%y", "[0-9]{2}", "y"),  # 69 to 99 of the last century, 00 to 68 of this one
    "MMMM": ("%B", f"(?i:{_LONG_MONTHS})", "M"),
    "MMM": ("%b", f"(?i:{_MONTHS})", "M"),
    "MM": ("%m", "[0-9]{2}", "M"),
    "M": ("%m", "[1-9][0-9]?", "M"),
    "dd": ("%d", "[0-9]{2}", "d"),
    "d": ("%d", "[1-9][0-9]?", "d"),
    "HH": ("%H", "[0-9]{2}", "H"),
    "H": ("%H", "([0-9]|[1-9][0-9])", "H"),
    "hh": ("%I", "[0-9]{2}", "h"),
    "h": ("%I", "[1-9][0-9]?", "h"),
    "a": ("%p", "(AM|PM)", "a"),
    "mm": ("%M", "[0-9]{2}", "m"),
    "ss": ("%S", "[0-9]{2}", "s"),
    **{"S" * digits: ("%f", f"[0-9]{{{digits}}}", "S") for digits in range(1, 7)},
    **{"S" * digits: ("%f", f"[0-9]{{6}}0{{{digits - 6}}}", "S") for digits in range(7, 10)},  # to the microsecond
    "X": ("%z", "(Z|[+-][0-9]{2})", "z"),
    "XX": ("%z", "(Z|[+-][0-9]{4})", "z"),
    "XXX": ("%z", "(Z|[+-][0-9]{2}:[0-9]{2})", "z"),
    "xx": ("%z", "[+-][0-9]{4}", "z"),
    "xxx": ("%z", "[+-][0-9]{2}:[0-9]{2}", "z"),
}
_TOKEN = re.compile(
    r"'(?P<quoted>(?:[^']|'')*)'|(?P<field>(?P<letter>[A-Za-z])(?P=letter)*)|(?P<other>[^A-Za-z'\[\]{}#])"
)
_NEEDED = {"date": "yMd", "timestamp": "yMd", "time": ""}


def formatted_cast(cell: str, kind: str, form: str, *, zone: str | None = None) -> str:
    """The strict cast of a cell written in the Java format `form` to date, timestamp or time.

    `zone` is the time zone of timestamps in a format without an offset, UTC if it is None. Raises ValueError with the
    reason where the format is not understood or does not fit the type.
    """
    strptime, shape, parts = _translated(form)
    _check(kind, parts)
    text = f"regexp_replace({cell}, '([0-9]{{6}})0{{1,3}}([^0-9]|$)', '\\1\\2')" if "S" * 7 in form else cell
    value = f"try_strptime({text}, {literal(strptime)})"
    if "z" in parts:
        value = instant(f"try_strptime(regexp_replace({text}, 'Z$', '+00:00'), {literal(strptime)})")
    elif zone and kind == "timestamp":
        value = localized(value, zone)
    exact = f"regexp_full_match({cell}, {literal(shape)}) AND {value} >= TIMESTAMP '0001-01-01 00:00:00'"
    return f"CASE WHEN {exact} THEN CAST({value} AS {duckdb_type(kind)}) END"


def format_pattern(form: str) -> tuple[str, str]:
    """The strptime format and the regular expression that a known Java format becomes."""
    strptime, shape, _ = _translated(form)
    return strptime, shape


def _translated(form: str) -> tuple[str, str, str]:
    strptime, shape, parts, position = "", "", "", 0
    while position < len(form):
        token = _TOKEN.match(form, position)
        if token is None:
            raise ValueError(f"{form[position:]!r} is not understood")
        position = token.end()
        if field := token["field"]:
            if field not in _FIELDS:
                raise ValueError(f"the field {field!r} is not supported")
            specifier, pattern, part = _FIELDS[field]
            if part in parts:
                raise ValueError(f"the field {field!r} says again what stands before it")
            strptime, shape, parts = strptime + specifier, shape + pattern, parts + part
        else:
            text = token["other"] or (token["quoted"] or "'").replace("''", "'")
            strptime, shape = strptime + text.replace("%", "%%"), shape + re.escape(text)
    return strptime, shape, parts


def _check(kind: str, parts: str) -> None:
    missing = [part for part in _NEEDED[kind] if part not in parts]
    if missing:
        raise ValueError(f"it lacks the field {missing[0]}")
    clock = [part for part in parts if part in "HhamsSz"]
    if kind == "date" and clock:
        raise ValueError("it has a time of day: use logicalType timestamp")
    if kind == "time" and (set(parts) & set("yMdz") or not clock):
        raise ValueError("a time has hours, minutes and seconds only")
    if ("h" in parts) != ("a" in parts) or ("h" in parts and "H" in parts):
        raise ValueError("write HH, or h together with a")
