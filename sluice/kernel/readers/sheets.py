"""Excel workbooks: one sheet, or a range of it, as records of cells, each written as a file of text would have it."""

from __future__ import annotations

import datetime as dt
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from pathlib import Path

from sluice.contract.plan import Plan
from sluice.contract.types import decimal_parts
from sluice.errors import DataError
from sluice.kernel.framing.tokens import BLANKS
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.delimited import Record, named_by_place
from sluice.kernel.readers.rewrite import Typed
from sluice.kernel.readers.second_sheet import Digests, differing_rows, same
from sluice.kernel.readers.workbook import BrokenError, Cell, Failure, NoSheetError, Number, Workbook, open_workbook

_MEMBERS = 10_000  # files in a workbook; it is a zip
_HELD = 8  # shared texts may take this part of the memory: as objects they are several times their bytes
_FREE_CELLS = 1 << 22
_CELL = 8  # bytes that a cell takes at least
_DAY = 86_400_000  # milliseconds, to which Excel rounds
_LEAP = 60  # the serial number of 29 February 1900, which never was
_MOST_DAYS = 2_958_466  # the first day of the year 10000
_MOST_WHOLE = 10**37
_DIGITS = 15
_ANY_DAY = dt.datetime(2000, 1, 1)  # noqa: DTZ001  (days of a workbook have no zone)
_DAMAGED = (BrokenError, KeyError, ValueError, IndexError, zipfile.BadZipFile, zlib.error, EOFError, OSError,
            NotImplementedError, RuntimeError, lzma.LZMAError)  # fmt: skip


def sheet_records(source: SourceFile, plan: Plan, *, limits: Limits) -> tuple[list[str], Iterator[Record]]:
    """Return the names in the first row and the records below it. Empty rows are none.

    Raises DataError `file.format` for what is no workbook, `file.limit`, and `file.columns` for an empty sheet.
    """

    def refuse(rule: str, message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule=rule, object_key=source.key)

    try:
        with zipfile.ZipFile(source.path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise refuse("file.format", "expected an xlsx workbook, got something else") from error
    size, packed = sum(item.file_size for item in members), source.path.stat().st_size
    if len(members) > _MEMBERS or size > limits.max_bytes or size > max(1 << 24, packed * limits.max_ratio):
        raise refuse("file.limit", f"a workbook of {size} bytes in {len(members)} parts")
    shared = sum(item.file_size for item in members if item.filename.lower().endswith("sharedstrings.xml"))
    if shared > limits.memory_bytes // _HELD:
        raise refuse("file.limit", f"{shared} bytes of texts, which must be held in memory at once")
    most = max(_FREE_CELLS, size // _CELL)
    wide = refuse("file.limit", f"more than {most} cells, most of them empty")
    reading = plan.reading
    found = _rows(source.path, reading.sheet, most=most, limits=limits, refuse=refuse, wide=wide)
    rows = _inside(found, reading.cell_range) if reading.cell_range else enumerate(found, 1)
    for _ in range(reading.skip_lines):
        next(rows, None)
    first = next((row for _, row in rows if any(value is not None for value in row)), None)
    if first is None:
        raise refuse("file.columns", "expected a header, got an empty sheet")
    width = max(number for number, value in enumerate(first, 1) if value is not None)
    if width > limits.max_columns:
        raise refuse("file.limit", f"more than {limits.max_columns} columns")
    names = [_text(value, "string") or "" for value in first[:width]]
    if plan.reading.blanks == "trim":
        names = [name.strip(BLANKS) for name in names]
    names = named_by_place(names)
    targets = {column.source: column.type for column in (*plan.columns, *plan.omitted)}
    return names, _below(rows, [targets.get(name, "string") for name in names])


def _inside(rows: Iterator[Sequence[Cell]], cell_range: str) -> Iterator[tuple[int, Sequence[Cell]]]:
    """Yield the numbered rows of a range (`B3:F200`, or `B3:F` to the end), each cut to it; read the others, too."""
    (left, top), (right, bottom) = (_corner(corner) for corner in cell_range.upper().split(":"))
    for number, row in enumerate(rows, 1):
        if (top or 1) <= number and (bottom is None or number <= bottom):
            yield number, row[left - 1 : right]


def _corner(text: str) -> tuple[int, int | None]:
    """The column, from 1, and the row of one corner of a range."""
    letters = text.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column, int(text[len(letters) :]) if len(text) > len(letters) else None


def _rows(
    path: Path, sheet: str, *, most: int, limits: Limits, refuse: Callable[[str, str], DataError], wide: DataError
) -> Iterator[Sequence[Cell]]:
    """Yield the rows of a sheet, gaps between them as empty ones; at the end hold them against another reading.

    Raises DataError: `wide` for too many cells, `file.format` for damage and for cells that two readers find different.
    """
    left, digests = most, Digests()

    def count(cells: int) -> None:
        nonlocal left
        left -= cells  # a cell far to the right or below makes empty ones before it
        if left < 0:
            raise wide

    try:
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:
                raise BrokenError(f"a wrong checksum in member {archive.namelist().index(damaged) + 1}")
            book, last = _opened(archive, sheet, refuse), 0
            for number, cells in book.rows(count):
                yield from ([] for _ in range(number - last - 1))
                digests.add(number, cells)
                yield cells
                last = number
            if differing := differing_rows(path, book.title, digests, limits):
                for number, cells in book.rows(lambda _cells: None):
                    if number in differing and not same(cells, differing.pop(number)):
                        raise refuse("file.format", f"two readers of the workbook find different cells in row {number}")
                if any(any(cell != "" for cell in row) for row in differing.values()):
                    raise refuse("file.format", "two readers of the workbook find different rows")
    except _DAMAGED as error:
        raise refuse("file.format", "expected an xlsx workbook, got a damaged one") from error


def _opened(archive: zipfile.ZipFile, sheet: str, refuse: Callable[[str, str], DataError]) -> Workbook:
    try:
        return open_workbook(archive, sheet)
    except NoSheetError as error:
        raise refuse("file.format", f"expected a workbook with the sheet {sheet!r}, got none of that name") from error


def _below(rows: Iterator[tuple[int, Sequence[Cell]]], targets: Sequence[str]) -> Iterator[Record]:
    """Yield the rows; `targets` are the types of the columns that the cells go to."""
    width = len(targets)
    for number, row in rows:
        values = list(row)
        while len(values) > width and values[-1] is None:
            values.pop()
        values += [None] * (width - len(values))
        cells = [_text(value, target) for value, target in zip_longest(values, targets, fillvalue="string")]
        if any(cell is not None for cell in cells):
            yield Record(cells, "\t".join(cell or "" for cell in cells), line=number)


def _text(value: Cell, target: str) -> str | None:
    """Write a cell as a text that the cast of a column of the type `target` is meant to judge (`values`)."""
    match value:
        case None | str():
            return value
        case bool():
            return Typed("true" if value else "false")
        case Failure():
            return Typed(value.text if value.text.startswith("#") else f"#{value.text}")
        case Number():
            return Typed(_number(value, target))


def _number(value: Number, target: str) -> str:  # noqa: PLR0911  (a kind each)
    try:
        exact, near = Decimal(value.digits), float(value.digits)
    except (ValueError, InvalidOperation):
        return value.digits
    if not exact.is_finite() or abs(near) == float("inf"):
        return value.digits
    if value.kind == "duration":
        return _duration(near)
    if value.kind.startswith("date") and (moment := _moment(near, value.kind)) is not None:
        day, _, clock = moment.partition("T")
        return day if clock == "00:00:00" and target != "timestamp" else moment
    if exact == exact.to_integral_value() and abs(exact) < _MOST_WHOLE:
        return f"{exact:f}".partition(".")[0].replace("-0", "0") if exact == 0 else f"{int(exact)}"
    if target in {"float", "double"}:
        return repr(near)
    parts = decimal_parts(target)
    if parts and -int(exact.as_tuple().exponent) <= parts[1]:
        return f"{exact:f}"
    return f"{Decimal(f'{near:.{_DIGITS}g}'):f}"  # as Excel computes, compares and shows it


def _moment(serial: float, kind: str) -> str | None:
    """The moment of a serial number, a time of day below 1; None where there is no such day, so it is a number."""
    from_1904 = kind != "date"
    if serial < 0 or serial >= _MOST_DAYS:
        return None
    millis = round(serial * _DAY)
    if millis < _DAY and not from_1904:
        return (_ANY_DAY + dt.timedelta(milliseconds=millis)).time().isoformat()
    if _LEAP <= serial < _LEAP + 1 and not from_1904:
        return "1900-02-29" + (f"T{millis % _DAY}" if millis % _DAY else "")  # no such day: no date is cast from it
    epoch = dt.datetime(1904, 1, 1) if from_1904 else dt.datetime(1899, 12, 30 + (serial < _LEAP))  # noqa: DTZ001
    return (epoch + dt.timedelta(milliseconds=millis)).isoformat()


def _duration(serial: float) -> str:
    millis = round(abs(serial) * _DAY)
    seconds, rest = divmod(millis, 1000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}" + (f".{rest:03d}" if rest else "")
    return f"-{text}" if serial < 0 and millis else text
