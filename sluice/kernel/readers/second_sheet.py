"""The second reading of a workbook, by calamine, which shares no code with ours: the same cells in the same places.

It holds a whole sheet in memory, so it is left out where that would be much of it. What it cannot open it says nothing
about: checksums of the archive have been verified by then.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.kernel.outcome import Limits
from sluice.kernel.readers.workbook import Cell, Failure, Number

_HELD = 4  # a sheet may take this part of the memory
_CELL = 64  # bytes of a cell there, its share of texts aside
_EPOCH = dt.datetime(1899, 12, 30)  # noqa: DTZ001  (days of a workbook have no zone)
_SECOND = 1 / 86_400
_SHIFTS = (0, 1, -1, 1462, 1461)  # days: 29 February 1900, which never was, and workbooks that count from 1904


@dataclass
class Digests:
    """One number for each row that stands in the sheet, as it was read first."""

    rows: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    width: int = 0

    def add(self, number: int, cells: Sequence[Cell]) -> None:
        """Remember a row."""
        self.numbers.append(number)
        self.rows.append(hash(tuple(_trimmed(map(_ours, cells)))))
        self.width = max(self.width, len(cells))


def differing_rows(path: Path, sheet: str, digests: Digests, limits: Limits) -> dict[int, list[Any]]:
    """Return rows, by number, that the second reader finds otherwise at first sight, as it finds them."""
    last = digests.numbers[-1] if digests.numbers else 0
    if last * digests.width * _CELL > limits.memory_bytes // _HELD:
        return {}
    theirs = _rows(path, sheet)
    if theirs is None:
        return {}
    ours = dict(zip(digests.numbers, digests.rows, strict=True))
    empty = hash(())
    found: dict[int, list[Any]] = {}
    for number, row in theirs:
        if ours.pop(number, empty) != hash(tuple(_trimmed(map(_theirs, row)))):
            found[number] = row  # noqa: PERF403  (what is popped is gone)
    return found | {number: [] for number, digest in ours.items() if digest != empty}


def same(cells: Sequence[Cell], others: Sequence[Any]) -> bool:
    """Whether two readings of a row agree: dates to the second, texts but for blanks around them."""
    width = max(len(cells), len(others))
    left = [*cells, *[None] * (width - len(cells))]
    right = [*others, *[""] * (width - len(others))]
    return all(_agree(ours, theirs) for ours, theirs in zip(left, right, strict=True))


def _agree(ours: Cell, theirs: Any) -> bool:
    match ours:
        case Failure():
            return True
        case Number():
            value, other = _float(ours.digits), _serial(theirs)
            if value is None or other is None:
                return value is None and other is None
            return value == other or any(abs(value - other - days) < _SECOND for days in _SHIFTS)
        case bool():
            return ours is theirs
        case _:
            if isinstance(theirs, dt.date):  # a date that stands as a text in the file
                return (ours or "").startswith(theirs.isoformat()[:10])
            return isinstance(theirs, str) and _bare(ours or "") == _bare(theirs)


def _ours(cell: Cell) -> Any:
    match cell:
        case None | Failure():
            return ""
        case Number():
            return _float(cell.digits)
        case bool():
            return (cell,)  # True is 1 to Python
        case _:
            return cell


def _theirs(cell: Any) -> Any:
    return (cell,) if isinstance(cell, bool) else cell if isinstance(cell, str) else _serial(cell)


def _trimmed(values: Iterable[Any]) -> list[Any]:
    found = list(values)
    while found and found[-1] == "":
        found.pop()
    return found


def _float(digits: str) -> float | None:
    try:
        return float(digits)
    except ValueError:
        return None


def _serial(value: Any) -> float | None:  # noqa: PLR0911  (a type each)
    """A cell of the second reader as the number that stands in the file; None if it is none."""
    match value:
        case bool():
            return None
        case int() | float():
            return float(value)
        case dt.datetime():
            return (value - _EPOCH) / dt.timedelta(days=1)
        case dt.date():
            return float((value - _EPOCH.date()).days)
        case dt.time():
            since = dt.timedelta(hours=value.hour, minutes=value.minute, seconds=value.second)
            return (since + dt.timedelta(microseconds=value.microsecond)) / dt.timedelta(days=1)
        case dt.timedelta():
            return value / dt.timedelta(days=1)
        case _:
            return None


def _bare(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _rows(path: Path, sheet: str) -> Iterator[tuple[int, list[Any]]] | None:
    import python_calamine  # noqa: PLC0415  (only workbooks need it)

    try:
        with path.open("rb") as file, python_calamine.CalamineWorkbook.from_filelike(file) as book:
            found = book.get_sheet_by_name(sheet)
            start = found.start or (0, 0)
            rows = list(found.iter_rows())
    except MemoryError:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return None
    return ((number, [""] * start[1] + row) for number, row in enumerate(rows, 1))
