"""Excel workbooks: the first sheet as records of cells, each written as a file of text would have it."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.framing.tokens import BLANKS
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.delimited import Record, named_by_place

_MEMBERS = 10_000  # files in a workbook; it is a zip
_HELD = 8  # shared texts may take this part of the memory: as objects they are several times their bytes
_FREE_CELLS = 1 << 22
_CELL = 8  # bytes that a cell takes at least


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
    rows = _rows(
        source.path,
        most=most,
        refuse_size=wide,
        refuse_format=refuse("file.format", "expected an xlsx workbook, got a damaged one"),
    )
    for _ in range(plan.reading.skip_lines):
        next(rows, None)
    first = next((row for row in rows if any(value is not None for value in row)), None)
    if first is None:
        raise refuse("file.columns", "expected a header, got an empty sheet")
    width = max(number for number, value in enumerate(first, 1) if value is not None)
    if width > limits.max_columns:
        raise refuse("file.limit", f"more than {limits.max_columns} columns")
    names = [_text(value) or "" for value in first[:width]]
    if plan.reading.blanks == "trim":
        names = [name.strip(BLANKS) for name in names]
    names = named_by_place(names)
    moments = {column.source for column in (*plan.columns, *plan.omitted) if column.type == "timestamp"}
    return names, _below(rows, [name in moments for name in names])


def _rows(path: Path, *, most: int, refuse_size: DataError, refuse_format: DataError) -> Iterator[Sequence[Any]]:
    import openpyxl  # noqa: PLC0415  # slow to import, and only workbooks need it

    try:
        with path.open("rb") as file:  # a file object: openpyxl would judge a path by its suffix
            workbook = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            for row in workbook.worksheets[0].iter_rows(values_only=True):
                most -= len(row)  # a cell far to the right or below makes empty ones before it
                if most < 0:
                    raise refuse_size
                yield row
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, SyntaxError, zipfile.BadZipFile) as error:
        raise refuse_format from error


def _below(rows: Iterator[Sequence[Any]], moments: Sequence[bool]) -> Iterator[Record]:
    """Yield the rows; `moments` tells for each column whether a day stands for its first moment."""
    width = len(moments)
    for row in rows:
        values = list(row)
        while len(values) > width and values[-1] is None:
            values.pop()
        values += [None] * (width - len(values))
        cells = [_text(value, moment=moment) for value, moment in zip_longest(values, moments)]
        if any(cell is not None for cell in cells):
            yield Record(cells, "\t".join(cell or "" for cell in cells))


def _text(value: Any, *, moment: bool | None = False) -> str | None:
    """Write a cell. Workbooks do not tell a day from its first moment: without `moment` it is the day."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case dt.datetime() if value.time() == dt.time() and not moment:
            return value.date().isoformat()
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case float() if value.is_integer() and abs(value) < 1 << 53:
            return str(int(value))
        case _:
            return str(value)
