"""Delimited text record by record, in plain Python: headers, and files that DuckDB's reader cannot read exactly.

Slower and stricter about nothing being lost: each record keeps its own lines, and a quote that never closes costs the
line it stands in, not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sluice.contract.plan import Plan, Reading
from sluice.errors import DataError
from sluice.kernel.outcome import Limits

_OPEN = "expected a closing quote, got none"
_AFTER = "expected a delimiter or the end of the line after a closing quote, got more text"
_NO_LIMIT = (1 << 31) - 1


@dataclass(frozen=True)
class Record:
    """The cells of one record (None where a format has a null of its own), its text, what is wrong with its shape."""

    cells: Sequence[str | None]
    raw: str
    fault: str = ""


def read_header(path: Path, plan: Plan, limits: Limits, *, key: str) -> tuple[list[str], int]:
    """Read the names in the header record and count its lines. Raises DataError `file.columns` where there is none."""
    for record in records(path, plan, limits, key=key, skip_lines=plan.reading.skip_lines):
        if record.fault:
            raise DataError(f"the header: {record.fault}", dataset=plan.dataset, rule="file.columns", object_key=key)
        if len(record.cells) > limits.max_columns:
            message = f"more than {limits.max_columns} columns"
            raise DataError(message, dataset=plan.dataset, rule="file.limit", object_key=key)
        return [cell or "" for cell in record.cells], record.raw.count("\n") + 1
    raise DataError("expected a header, got an empty file", dataset=plan.dataset, rule="file.columns", object_key=key)


def read_names(path: Path, plan: Plan, limits: Limits, *, key: str) -> list[str]:
    """Read the names in the header record, as `read_header` does."""
    return read_header(path, plan, limits, key=key)[0]


def records(path: Path, plan: Plan, limits: Limits, *, key: str, skip_lines: int = 0) -> Iterator[Record]:
    """Yield all records of a UTF-8 file. An empty line is no record. Raises DataError `file.limit` for a huge line."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = _Lines(
            _bounded(iter(lambda: file.readline(limits.max_field_bytes + 1), ""), plan, limits, key),
            limits.max_field_bytes,
        )
        for _ in islice(lines, skip_lines):
            pass
        yield from _split(lines, plan.reading)


def is_whole(line: str, reading: Reading) -> bool:
    """Whether a line taken by itself leaves no quote open and has none astray."""
    lines = _Lines([line], len(line))
    return all(not record.fault for record in _split(lines, reading))


class _FaultError(Exception):
    """What is wrong with the record that was being read."""


class _Lines:
    """An iterator over lines that remembers what it gave out since the last `begin` and takes lines back."""

    def __init__(self, lines: Iterable[str], most: int) -> None:
        self._lines = iter(lines)
        self._returned: deque[str] = deque()
        self._left = self._most = most  # characters of one record
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        self._left -= len(line)
        if self._left < 0 and len(self.taken) > 1:
            raise _FaultError(_OPEN)
        return line

    def begin(self) -> None:
        self._left = self._most
        self.taken.clear()

    def give_back(self) -> None:
        self._returned.extendleft(reversed(self.taken))
        self.begin()

    def give_back_all_but_first(self) -> None:
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _bounded(lines: Iterator[str], plan: Plan, limits: Limits, key: str) -> Iterator[str]:
    for line in lines:
        if len(line) > limits.max_field_bytes:
            message = f"a line of more than {limits.max_field_bytes} characters"
            raise DataError(message, dataset=plan.dataset, rule="file.limit", object_key=key)
        yield line


def _split(lines: _Lines, reading: Reading) -> Iterator[Record]:
    """Yield the records of the lines. One that goes wrong costs its first line; reading goes on with the next."""
    careful = _Tokens(lines, reading)
    quick = _quick(lines, reading)
    marks = (f" {reading.quote}", f"{reading.quote} ") if quick and reading.quote else ()
    while True:
        lines.begin()
        try:
            cells, fault = _read(lines, quick, careful, marks), ""
        except StopIteration:
            return
        except (_FaultError, csv.Error) as error:
            several = len(lines.taken) > 1
            lines.give_back_all_but_first()
            # Past the first line, what is wrong is that the quote did not close there.
            cells, fault = [], _OPEN if several else _explained(error)
        if cells or fault:
            yield Record(cells, "".join(lines.taken).rstrip("\r\n"), fault)


def _read(lines: _Lines, quick: Iterator[list[str]] | None, careful: _Tokens, marks: Sequence[str]) -> list[str]:
    """Read one record; again, where a blank stands beside a quote: there the csv module differs from DuckDB."""
    if quick is None:
        return next(careful)
    failure = None
    try:
        cells = next(quick)
    except (_FaultError, csv.Error) as error:
        failure = error
    if any(mark in line for line in lines.taken for mark in marks):
        lines.give_back()
        return next(careful)
    if failure:
        raise failure
    return cells


def _quick(lines: _Lines, reading: Reading) -> Iterator[list[str]] | None:
    """Return the csv module's reader for the dialects that it knows as DuckDB does."""
    if len(reading.delimiter) != 1 or reading.escape not in {reading.quote, ""}:
        return None
    csv.field_size_limit(_NO_LIMIT)  # lines are bounded already
    if not reading.quote:
        return csv.reader(lines, delimiter=reading.delimiter, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(lines, delimiter=reading.delimiter, quotechar=reading.quote, strict=True)


class _Tokens:
    """The cells of one record after the other, by the rules of DuckDB's reader.

    A cell is quoted if it begins with a quote or with one blank and a quote; blanks may follow the closing quote.
    """

    def __init__(self, lines: _Lines, reading: Reading) -> None:
        quote, escape = re.escape(reading.quote), re.escape(reading.escape or reading.quote)
        if not quote:
            quote = escape = r"(?!)"  # which is nowhere
        inner = rf"[^{quote}]|{quote}{quote}" if escape == quote else rf"[^{quote}{escape}]|{escape}."
        before, after = ("", "") if reading.delimiter == " " else (" ?", " *+")
        self._quoted = re.compile(rf"{before}{quote}((?:{inner})*+){quote}{after}", re.DOTALL)
        self._begun = re.compile(before + quote)
        self._escaped = re.compile(rf"{escape}(.)", re.DOTALL)
        self._lines, self._delimiter = lines, reading.delimiter

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        text = next(self._lines)
        while (cells := self._cells(text)) is None:
            try:
                text += next(self._lines)
            except StopIteration:
                raise _FaultError(_OPEN) from None
        return cells

    def _cells(self, text: str) -> list[str] | None:
        """The cells of a record; None where a quote is still open."""
        end = len(text.rstrip("\r\n"))
        if not end:
            return []
        cells: list[str] = []
        at = 0
        while True:
            if self._begun.match(text, at):
                found = self._quoted.match(text, at)
                if found is None:
                    return None
                cells.append(self._escaped.sub(r"\1", found[1]))
                at = found.end()
                if at < end and not text.startswith(self._delimiter, at):
                    raise _FaultError(_AFTER)
            else:
                stop = text.find(self._delimiter, at, end)
                cells.append(text[at : end if stop < 0 else stop])
                at = end if stop < 0 else stop
            if at >= end:
                return cells
            at += len(self._delimiter)


def _explained(error: Exception) -> str:
    """Our words for the csv module's, which never name a value."""
    if isinstance(error, _FaultError):
        return str(error)
    if "expected after" in str(error):
        return _AFTER
    return _OPEN if "unexpected end" in str(error) else "expected a delimited record, got something else"
