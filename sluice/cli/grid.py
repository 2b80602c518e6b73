"""Query results as text: a grid that never wraps inside a cell, or one line a column where the grid is too wide."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Sequence

from sluice.cli.screen import visible

_GAP = "  "


def lines(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    *,
    numbers: Collection[str],
    width: int | None,
) -> Iterator[str]:
    """Yield the lines of a grid; of the vertical form where the grid is wider than `width` (None: never too wide)."""
    cells = [[visible(cell) if cell is not None else "" for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(columns, *cells, strict=True)]
    if width is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > width:
        yield from _vertical(columns, cells)
        return
    right = [name in numbers for name in columns]
    yield _line(columns, widths, right)
    yield _GAP.join("-" * size for size in widths)
    for row in cells:
        yield _line(row, widths, right)


def _vertical(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    widest = max(map(_width, columns))
    for number, row in enumerate(cells, start=1):
        yield f"-- row {number}"
        for name, cell in zip(columns, row, strict=True):
            yield f"{_padded(name, widest, right=False)}{_GAP}{cell}".rstrip()


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [_padded(cell, size, right=to) for cell, size, to in zip(cells, widths, right, strict=True)]
    return _GAP.join(padded).rstrip()


def _padded(text: str, size: int, *, right: bool) -> str:
    space = " " * (size - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )
