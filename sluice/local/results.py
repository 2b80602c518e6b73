"""Query results as Athena writes them: cells as text, and the CSV file in the output location."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any


def as_text(value: Any) -> str | None:  # noqa: PLR0911  (one case a type)
    """A value as Athena prints it; None for NULL."""
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        case date():
            return value.isoformat()
        case bytes() | bytearray():
            return value.hex(" ")
        case list() | tuple():
            return "[" + ", ".join(as_text(item) or "null" for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{key}={as_text(item) or 'null'}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def as_csv(names: Sequence[str], rows: Iterable[Sequence[str | None]]) -> bytes:
    """Every cell in quotes, NULL as nothing at all."""
    lines = [",".join(_quoted(cell) for cell in row) for row in (names, *rows)]
    return ("\n".join(lines) + "\n").encode()


def _quoted(cell: str | None) -> str:
    return "" if cell is None else '"' + cell.replace('"', '""') + '"'
