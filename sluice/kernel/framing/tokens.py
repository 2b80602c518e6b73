"""One record after the other to its cells, by the rules of the contract's dialect. Which lines it gets others decide.

A cell is quoted if it begins with a quote, or with one blank and a quote as for DuckDB's reader; blanks may follow the
closing quote. All other cells end at the next delimiter. Quotes in them are astray: text, or what makes the record a
reject, as the contract says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sluice.contract.plan import Reading

OPEN = "expected a closing quote, got none"
AFTER = "expected a delimiter or the end of the line after a closing quote, got more text"
STRAY = "expected no quote in a cell that is not quoted, got one"
PAIR = "expected quotes around whole cells, got one inside a cell and its like at the end of a later one"
_HANGING = "expected a character after the last escape, got none"
BLANKS = " \t"
_NOWHERE = r"(?!)"


class FaultError(Exception):
    """What is wrong with the record that was being read."""


def content(line: str, end: str) -> str:
    """The line without what ends it."""
    if end != "auto":
        return line.removesuffix(end)
    return line[:-2] if line.endswith("\r\n") else line[:-1] if line.endswith(("\n", "\r")) else line


class StrayError(FaultError):
    """Quotes are astray in a record of which all lines were read."""


class Tokens:
    """The cells of one record after the other. Raises FaultError, and StopIteration at the end of the lines."""

    def __init__(self, lines: Iterator[str], reading: Reading) -> None:
        self._lines, self._reading, self._delimiter = lines, reading, reading.delimiter
        quote, escape = re.escape(reading.quote), re.escape(reading.escape)
        before, after = _around(reading)
        self._begun = re.compile(before + quote if quote else _NOWHERE)
        self._inner = re.compile(_inner(reading, quote, escape, after) if quote else _NOWHERE, re.DOTALL)
        self._after = re.compile(after)
        self._protects = bool(escape and not quote)
        step = rf"(?!{re.escape(reading.delimiter)})"
        self._bare = re.compile(rf"(?:{step}[^{escape}]|{escape}.)*+" if self._protects else _NOWHERE, re.DOTALL)
        self._escaped = re.compile(rf"{escape}(.)" if escape else _NOWHERE, re.DOTALL)
        self._nulls = set(reading.null_texts)
        self._stray = reading.stray_quotes if quote else "text"
        self._astray = ""  # what is wrong with quotes in this record
        self._reach = 0  # where a quote that is astray in this line would close, if it opened something

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        line = next(self._lines)
        text = content(line, self._reading.record_end)
        if not text:
            return []
        cells: list[str] = []
        at = 0
        self._astray, self._reach = "", 0
        while True:
            if begun := self._begun.match(line, at):
                cell, line, at = self._quoted(line, begun.end())
                text = content(line, self._reading.record_end)
                if at < len(text) and not text.startswith(self._delimiter, at):
                    raise FaultError(AFTER)
            elif self._protects:
                cell, line, at = self._protected(line, at)
                text = content(line, self._reading.record_end)
            else:
                stop = text.find(self._delimiter, at)
                stop = len(text) if stop < 0 else stop
                cell = text[at:stop]
                if self._stray != "text" and self._reading.quote in cell:
                    self._judge(text, at, stop)
                at = stop
            cells.append(cell)
            if at >= len(text):
                if self._astray:
                    raise StrayError(self._astray)
                return cells
            at += len(self._delimiter)

    def _quoted(self, line: str, at: int) -> tuple[str, str, int]:
        """Read on from inside the quotes: the cell, the line in which it ends, the place after it there."""
        parts: list[str] = []
        while True:
            found = self._inner.match(line, at)
            stop = found.end() if found else at
            parts.append(line[at:stop])
            if line.startswith(self._reading.quote, stop):
                break
            if stop < len(line):  # an escape that nothing follows
                raise FaultError(OPEN)
            try:
                line, at = next(self._lines), 0
                self._reach = 0  # it is a place in one line
            except StopIteration:
                raise FaultError(OPEN) from None
        after = self._after.match(line, stop + 1)
        return self._plain("".join(parts)), line, after.end() if after else stop + 1

    def _judge(self, text: str, start: int, stop: int) -> None:
        """Judge the quotes astray in the cell from `start` to `stop`."""
        if self._stray == "reject":
            self._astray = STRAY
        elif start < self._reach == stop - 1:
            self._astray = PAIR
        elif self._reach < stop:  # what reaches beyond this cell closes where the cell's own quotes would
            self._reach = self._closing(text, start, stop)

    def _closing(self, text: str, start: int, stop: int) -> int:
        """Where a quote astray in this cell, with text on both sides, closes if it opens something; 0 if nowhere.

        Quotes after it in the cell must be doubled then. So it is the last one; or, if that ends the cell and is the
        second of a pair, the one before the pair.
        """
        quote = self._reading.quote
        at = text.rfind(quote, start + 1, stop)
        if at == stop - 1:
            at = text.rfind(quote, start + 1, at - 1) if text.startswith(quote, at - 1) else -1
        if at < 0:
            return 0
        inner = self._inner.match(text, at + 1)
        return inner.end() if inner else 0

    def _protected(self, line: str, at: int) -> tuple[str, str, int]:
        """Read a cell of a dialect without quotes, in which an escape takes delimiters and record ends for text."""
        parts: list[str] = []
        while True:
            text = content(line, self._reading.record_end)
            found = self._bare.match(text, at)
            stop = found.end() if found else at
            parts.append(text[at:stop])
            if not text.startswith(self._reading.escape, stop):
                break
            parts.append(line[stop:])  # the escape, and the record end that it protects
            following = next(self._lines, "") if len(line) > len(text) else ""
            if not following:
                raise FaultError(_HANGING)
            line, at = following, 0
        cell = "".join(parts)
        return cell if cell in self._nulls else self._plain(cell), line, stop

    def _plain(self, cell: str) -> str:
        """The cell without its escapes."""
        return self._escaped.sub(r"\1", cell) if self._reading.escape else cell


def _around(reading: Reading) -> tuple[str, str]:
    """Expressions for the blanks that may stand before an opening quote and after a closing one."""
    blanks = "".join(mark for mark in BLANKS if mark not in reading.delimiter)
    if reading.blanks == "trim" and blanks:
        return f"[{blanks}]*+", f"[{blanks}]*+"
    return ("", "") if " " in reading.delimiter or reading.blanks == "trim" else (" ?", " *+")


def _inner(reading: Reading, quote: str, escape: str, after: str) -> str:
    """An expression for what stands inside quotes, up to the quote that closes them."""
    if escape == quote:
        return f"[^{quote}]*+(?:{quote}{quote}[^{quote}]*+)*+"
    if escape:
        return f"[^{quote}{escape}]*+(?:{escape}.[^{quote}{escape}]*+)*+"
    end = r"\r\n|\n|\r" if reading.record_end == "auto" else re.escape(reading.record_end)
    closes = rf"{quote}{after}(?:{re.escape(reading.delimiter)}|(?:{end})?\Z)"
    return f"[^{quote}]*+(?:(?!{closes}){quote}[^{quote}]*+)*+"
