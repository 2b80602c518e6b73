"""Query results as Athena writes them: cells as text, and the CSV file in the output location."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

_SMALLEST, _LARGEST = 1e-3, 1e7  # of doubles printed without an exponent


def as_text(value: Any) -> str | None:  # noqa: C901, PLR0911  (one case a type)
    """A value as Athena prints it; None for NULL."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(sep=" ", timespec="microseconds")
        case time():
            return value.isoformat(timespec="microseconds")
        case Decimal():
            return f"{value:f}"
        case float():
            return _double(value)
        case date():
            return value.isoformat()
        case bytes() | bytearray():
            return value.hex(" ")
        case list() | tuple():
            return "[" + ", ".join(_part(item) for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{key}={_part(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def _part(value: Any) -> str:
    text = as_text(value)
    return "null" if text is None else text


def _double(value: float) -> str:
    """Print a double as Java does: at least one decimal, and an exponent from 10^7 up and below 10^-3."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or _SMALLEST <= abs(value) < _LARGEST:
        return f"{Decimal(repr(value)):f}"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    return f"{'-' * sign}{text[0]}.{text[1:] or '0'}E{len(digits) - 1 + int(exponent)}"


def as_csv(names: Sequence[str], rows: Iterable[Sequence[str | None]]) -> bytes:
    """Every cell in quotes, NULL as nothing at all."""
    lines = [",".join(_quoted(cell) for cell in row) for row in (names, *rows)]
    return ("\n".join(lines) + "\n").encode()


def _quoted(cell: str | None) -> str:
    return "" if cell is None else '"' + cell.replace('"', '""') + '"'
