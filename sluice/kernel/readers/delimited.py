"""Delimited text record by record, in plain Python: headers, and files that DuckDB's reader cannot read exactly.

Slower and stricter about nothing being lost: each record keeps its own lines, and a quote that never closes costs the
line it stands in, not the rest of the file. How one record becomes cells is decided in `tokens`.
"""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import IO

from sluice.contract.plan import Plan, Reading
from sluice.errors import DataError
from sluice.kernel.framing.tokens import AFTER, BLANKS, OPEN, FaultError, StrayError, Tokens, content
from sluice.kernel.outcome import Limits

_NO_LIMIT = (1 << 31) - 1
_BLOCK = 1 << 16
_IN_VAIN = 1  # times a file that may be read ahead for closing quotes that are not there
_FREE = 8  # times the longest record that may be read ahead anyhow: it may be of very short lines
_LINE = 64  # characters that take as long as a line takes by itself
_NEWLINES = {"auto": "", "\n": "\n", "\r\n": "\r\n", "\r": "\r"}  # record ends that Python's own reader cuts at


@dataclass(frozen=True)
class Record:
    """The cells of one record (None where a format has a null of its own), its text, what is wrong with its shape.

    `line` is where it begins in the file, from 1; 0 where the format has no lines.
    """

    cells: Sequence[str | None]
    raw: str
    fault: str = ""
    line: int = 0


def read_header(path: Path, plan: Plan, limits: Limits, *, key: str) -> tuple[list[str], int]:
    """Read the names in the header and count its lines. Raises DataError `file.columns` where there is none."""

    def refuse(rule: str, message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule=rule, object_key=key)

    wanted = plan.reading.header_lines
    found = list(islice(records(path, plan, limits, key=key, skip_lines=plan.reading.skip_lines), wanted))
    for record in found:
        if record.fault:
            raise refuse("file.columns", f"the header: {record.fault}")
        if len(record.cells) > limits.max_columns:
            raise refuse("file.limit", f"more than {limits.max_columns} columns")
    if not found:
        raise refuse("file.columns", "expected a header, got an empty file")
    if len(found) < wanted:
        raise refuse("file.columns", f"expected a header of {wanted} records, got {len(found)}")
    columns = zip_longest(*(record.cells for record in found), fillvalue="")
    names = [parts[0] or "" if wanted == 1 else " ".join(filter(None, parts)) for parts in columns]
    if plan.reading.blanks == "trim":
        names = [name.strip(BLANKS) for name in names]
    return named_by_place(names), sum(record.raw.count("\n") + 1 for record in found)


def named_by_place(names: Sequence[str]) -> list[str]:
    """Name the columns that a header leaves without a name `column N`, by their places from 1."""
    return [name or f"column {place}" for place, name in enumerate(names, 1)]


def read_names(path: Path, plan: Plan, limits: Limits, *, key: str) -> list[str]:
    """Read the names in the header record, as `read_header` does."""
    return read_header(path, plan, limits, key=key)[0]


def records(path: Path, plan: Plan, limits: Limits, *, key: str, skip_lines: int = 0) -> Iterator[Record]:
    """Yield all records of a UTF-8 file; an empty line is none, and a comment neither.

    Raises DataError `file.limit` for a huge line and for too many records.
    """
    reading = plan.reading

    def refuse(message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule="file.limit", object_key=key)

    with path.open(encoding="utf-8", newline=_NEWLINES.get(reading.record_end, "")) as file:
        lines = _bounded(_cut(file, reading.record_end, limits.max_field_bytes + 1), limits, refuse_line=refuse)
        for _ in islice(lines, skip_lines):
            pass
        most = limits.max_rows + reading.header_lines
        for number, record in enumerate(_split(_RewindableLines(lines, limits.max_field_bytes), reading, skip_lines)):
            if number >= most:
                raise refuse(f"more than {limits.max_rows} records")
            yield record


def split_text(text: str, reading: Reading) -> Iterator[Record]:
    """Yield the records of a text that is held in memory."""
    lines = _cut(io.StringIO(text, newline=_NEWLINES.get(reading.record_end, "")), reading.record_end, len(text) + 1)
    return _split(_RewindableLines(lines, len(text) + 1), reading)


def whole_record(text: str, reading: Reading) -> list[str | None] | None:
    """Return the cells of a text taken by itself; None where it is not one record, or one with a quote astray."""
    end = reading.record_end
    lines = _RewindableLines(_cut(io.StringIO(text, newline=_NEWLINES.get(end, "")), end, len(text)), len(text))
    found = list(_split(lines, reading))
    return list(found[0].cells) if len(found) == 1 and not found[0].fault else None


class _RewindableLines:
    """An iterator over lines that remembers what it gave out since the last `begin` and takes lines back.

    A record may take `most` characters. Quotes that never close make whoever looks for their ends read the same lines
    again and again; what was read in vain is bounded by the length of the file, or a megabyte took hours.
    """

    def __init__(self, lines: Iterable[str], most: int) -> None:
        self._lines = iter(lines)
        self._returned: deque[str] = deque()
        self._most = self._left = most  # characters of one record
        self._spare = _FREE * most  # what may still be read in vain, as characters
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        self._left -= len(line)
        self._spare -= len(line) + _LINE
        if (self._left < 0 or self._spare < 0) and len(self.taken) > 1:
            raise FaultError(OPEN)
        return line

    def begin(self) -> None:
        self._spare += (1 + _IN_VAIN) * self._cost(self.taken)
        self._left = self._most
        self.taken.clear()

    def give_back(self) -> None:
        self._returned.extendleft(reversed(self.taken))
        self._spare += self._cost(self.taken)
        self._left = self._most
        self.taken.clear()

    def give_back_all_but_first(self) -> None:
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    @staticmethod
    def _cost(lines: Sequence[str]) -> int:
        return sum(map(len, lines)) + _LINE * len(lines)


def _cut(file: IO[str], end: str, most: int) -> Iterator[str]:
    """Yield the lines of a file with their ends, none longer than `most` but the one that is too long."""
    if end in _NEWLINES:
        yield from iter(lambda: file.readline(most), "")
        return
    held = ""
    while block := file.read(_BLOCK):
        *whole, held = (held + block).split(end)
        yield from (line + end for line in whole)
        if len(held) >= most:
            break
    if held:
        yield held


def _bounded(lines: Iterator[str], limits: Limits, *, refuse_line: Callable[[str], DataError]) -> Iterator[str]:
    for line in lines:
        if len(line) > limits.max_field_bytes:
            raise refuse_line(f"a line of more than {limits.max_field_bytes} characters")
        yield line


def _split(lines: _RewindableLines, reading: Reading, above: int = 0) -> Iterator[Record]:
    """Yield the records of the lines. One that goes wrong costs its first line; reading goes on with the next.

    `above` lines stand in the file before the first of these.
    """
    careful = Tokens(lines, reading)
    quick = _quick(lines, reading)
    marks = (f" {reading.quote}", f"{reading.quote} ") if quick and reading.quote else ()
    astray = reading.quote if quick and reading.stray_quotes != "text" else ""
    line = above + 1
    while True:
        line += len(lines.taken)
        lines.begin()
        if reading.comment and _skip_comment(lines, reading.comment):
            continue
        try:
            cells, fault = _read(lines, quick, careful, marks, astray), ""
        except StopIteration:
            return
        except StrayError as error:
            cells, fault = [], str(error)
        except (FaultError, csv.Error) as error:
            several = len(lines.taken) > 1
            lines.give_back_all_but_first()
            # Past the first line, what is wrong is that the quote did not close there.
            cells, fault = [], OPEN if several else _explained(error)
        if cells or fault:
            yield Record(cells, content("".join(lines.taken), reading.record_end), fault, line)


def _skip_comment(lines: _RewindableLines, comment: str) -> bool:
    if next(lines, "").startswith(comment):
        return True
    lines.give_back()
    return False


def _read(
    lines: _RewindableLines, quick: Iterator[list[str]] | None, careful: Tokens, marks: Sequence[str], astray: str
) -> list[str]:
    """Read one record; again, where a blank stands beside a quote: there the csv module differs from DuckDB.

    Also where a cell holds a quote, `astray`, which may stand where none should.
    """
    if quick is None:
        return next(careful)
    failure, cells = None, list[str]()
    try:
        cells = next(quick)
    except (FaultError, csv.Error) as error:
        failure = error
    if not (cells or failure):
        return cells  # an empty line
    again = astray and astray in "".join(cells)
    if again or any(mark in line for line in lines.taken for mark in marks):
        lines.give_back()
        return next(careful)
    if failure:
        raise failure
    return cells


def _quick(lines: _RewindableLines, reading: Reading) -> Iterator[list[str]] | None:
    """Return the csv module's reader for the dialects that it knows as DuckDB does."""
    odd = reading.record_end != "auto" or reading.escape != reading.quote or reading.blanks == "trim"
    if len(reading.delimiter) != 1 or odd:
        return None
    csv.field_size_limit(_NO_LIMIT)  # lines are bounded already
    if not reading.quote:
        return csv.reader(lines, delimiter=reading.delimiter, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(lines, delimiter=reading.delimiter, quotechar=reading.quote, strict=True)


def _explained(error: Exception) -> str:
    """Our words for the csv module's, which never name a value."""
    if isinstance(error, FaultError):
        return str(error)
    if "expected after" in str(error):
        return AFTER
    return OPEN if "unexpected end" in str(error) else "expected a delimited record, got something else"
