"""What people get wrong in a cell, in words: a day that no calendar has, a number written another country's way.

An explanation is a DuckDB expression over CELL that is NULL where it has nothing to say; then the usual words stand.
"""

from __future__ import annotations

from sluice.contract.formats import format_pattern
from sluice.contract.model import Property
from sluice.contract.plan import CELL
from sluice.contract.sql import literal
from sluice.contract.types import decimal_parts

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ENGLISH = "[+-]?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)[.][0-9]+"
_COMMA = "[+-]?([0-9]{1,3}([. ][0-9]{3})+|[0-9]+),[0-9]+"
_GROUPED = "[+-]?[0-9]{1,3}(,[0-9]{3})+([.][0-9]+)?"


def mistake(item: Property, kind: str) -> str:
    """The explanation of texts that are no values of the property's type `kind`; nothing to say as an empty text."""
    if kind in {"date", "timestamp"}:
        return _no_such_day(item, kind)
    parts = decimal_parts(kind)
    return _other_locale(item, parts[1] if parts else 1) if parts or kind in {"double", "float"} else ""


def _no_such_day(item: Property, kind: str) -> str:
    words = "no such day" if kind == "date" else "no such day or time"
    if item.options.format is None:
        shape = _DATE if kind == "date" else f"{_DATE}[T ].{{1,40}}"
        return _case([(f"regexp_full_match({CELL}, '{shape}') AND TRY_CAST({CELL}[:10] AS DATE) IS NULL", words, "")])
    strptime, pattern = format_pattern(item.options.format)
    known = f"try_strptime(regexp_replace({CELL}, 'Z$', '+00:00'), {literal(strptime)}) IS NULL"
    return _case([(f"regexp_full_match({CELL}, {literal(pattern)}) AND {known}", words, "")])


def _other_locale(item: Property, scale: int) -> str:
    sign = item.spelling.decimal
    example = f"1234{sign}{'50000'[:scale]}" if scale else "1234"
    expected = f"expected a number like {example}; got"
    if sign == ".":
        cases = [(_COMMA, "written with a decimal comma?")]
        if not item.spelling.thousands:
            cases.append((_GROUPED, "with thousands set apart? the contract has no thousandsSeparator"))
    else:
        cases = [(_ENGLISH, "written the English way?")]
    return _case([(f"regexp_full_match({CELL}, '{shape}')", expected, f" ({why})") for shape, why in cases])


def _case(cases: list[tuple[str, str, str]]) -> str:
    """The CASE of conditions, each with the words before the cell and after it."""
    whens = (
        f"WHEN {condition} THEN {literal(before + (': ' if not after else ' '))} || '''' || {CELL}[:100] || ''''"
        f"{f' || {literal(after)}' if after else ''}"
        for condition, before, after in cases
    )
    return f"CASE {' '.join(whens)} END"
