"""Delimited text record by record, in plain Python: headers, and files that DuckDB's reader cannot read exactly.

Slower and stricter about nothing being lost: each record keeps its own lines, and a quote that never closes costs the
line it stands in, not the rest of the file.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sluice.contract.plan import Plan, Reading
from sluice.errors import DataError
from sluice.kernel.outcome import Limits


@dataclass(frozen=True)
class Record:
    """The cells of one record, its text as it stood, and what is wrong with its shape."""

    cells: list[str]
    raw: str
    fault: str = ""


def read_names(path: Path, plan: Plan, limits: Limits, *, key: str) -> list[str]:
    """The names in the header record. Raises DataError `file.columns` for a file without one."""
    for record in records(path, plan, limits, key=key, skip_lines=plan.reading.skip_lines):
        if record.fault:
            raise DataError(f"the header: {record.fault}", dataset=plan.dataset, rule="file.columns", object_key=key)
        if len(record.cells) > limits.max_columns:
            message = f"more than {limits.max_columns} columns"
            raise DataError(message, dataset=plan.dataset, rule="file.limit", object_key=key)
        return record.cells
    raise DataError("expected a header, got an empty file", dataset=plan.dataset, rule="file.columns", object_key=key)


def records(path: Path, plan: Plan, limits: Limits, *, key: str, skip_lines: int = 0) -> Iterator[Record]:
    """All records of a UTF-8 file. An empty line is no record. Raises DataError `file.limit` for a huge line."""
    csv.field_size_limit(limits.max_field_bytes)
    with path.open(encoding="utf-8", newline="") as file:
        lines = _Lines(_bounded(iter(lambda: file.readline(limits.max_field_bytes + 1), ""), plan, limits, key))
        for _ in islice(lines, skip_lines):
            pass
        dialect = _dialect(plan.reading)
        while True:
            lines.taken.clear()
            try:
                cells = next(csv.reader(lines, **dialect))
                fault = ""
            except StopIteration:
                return
            except csv.Error as error:
                lines.give_back_all_but_first()
                cells, fault = [], _explained(str(error))
            raw = "".join(lines.taken).rstrip("\r\n")
            if cells or fault:
                yield Record(cells, raw, fault)


class _Lines:
    """An iterator over lines that remembers what it gave out and takes lines back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._returned: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        return line

    def give_back_all_but_first(self) -> None:
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _bounded(lines: Iterator[str], plan: Plan, limits: Limits, key: str) -> Iterator[str]:
    for line in lines:
        if len(line) > limits.max_field_bytes:
            message = f"a line of more than {limits.max_field_bytes} characters"
            raise DataError(message, dataset=plan.dataset, rule="file.limit", object_key=key)
        yield line


def _dialect(reading: Reading) -> dict[str, Any]:
    dialect: dict[str, Any] = {"delimiter": reading.delimiter, "strict": True}
    if not reading.quote:
        return {**dialect, "quoting": csv.QUOTE_NONE}
    if reading.escape in {reading.quote, ""}:
        return {**dialect, "quotechar": reading.quote, "doublequote": True}
    return {**dialect, "quotechar": reading.quote, "doublequote": False, "escapechar": reading.escape}


def _explained(error: str) -> str:
    """Our words for the csv module's: a message of its own could change, and never names a value."""
    if "expected after" in error:
        return "expected a delimiter or the end of the line after a closing quote, got more text"
    if "unexpected end" in error or "limit" in error:
        return "expected a closing quote, got none"
    return "expected a delimited record, got something else"
