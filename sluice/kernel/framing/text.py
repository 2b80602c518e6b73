"""Objects made of text as plain UTF-8 files on local disk, and what a glance at all their bytes tells about them.

Decompression, encodings and bounds end here: whoever reads the result needs to know nothing of them.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.contract.plan import Plan, Reading
from sluice.errors import DataError
from sluice.kernel.framing.unpack import blocks, compression
from sluice.kernel.outcome import Limits, SourceFile

_BOM = "\ufeff".encode()
_UTF8 = {"utf-8", "utf-8-sig"}
_EDGE = 64  # bytes on each side of a block's border that are looked at together
_BLOCK = 1 << 20
_MARKED = 1 << 24  # bytes between marks, more or less
_FOOTER = 1 << 26  # bytes; more than that is no footer
_TAIL = 1 << 16  # more empty lines than this at the end of a file are counted in vain
_LONG = 1 << 20  # DuckDB's CSV reader takes lines up to twice this; a block holds no longer ones


@dataclass(frozen=True, kw_only=True)
class Text:
    """A UTF-8 file without byte order mark, and what stands in it somewhere."""

    path: Path
    size: int
    lines: int  # lines, the last one with or without a line feed
    quotes: bool  # the contract's quote character
    escapes: bool  # an escape character that is not the quote
    comments: bool  # a line that begins like a comment
    reopened: bool  # a quote, blanks, a quote, not all of a cell: DuckDB would join the two sides
    line_end: str  # in the words of DuckDB: `\n` or `\r\n`, each character escaped
    returns: bool  # what ends lines is not what ends records, or not the same everywhere
    nuls: bool
    long_lines: bool  # a megabyte without a line feed
    marks: Sequence[tuple[int, int]] = ()  # offsets in the file, and how many line feeds stand before them


def prepare(source: SourceFile, plan: Plan, *, scratch: Path, limits: Limits) -> Text:
    """Return the object as plain UTF-8: the source file itself where it is that already, else a copy in `scratch`.

    Without the footer, if the plan has one. Raises DataError `file.encoding` (with the offset of the first bad byte),
    `file.compression` or `file.limit`.
    """
    encoding, footer = _codec(plan, source), plan.reading.skip_footer
    glance = _Glance(plan.reading)
    plain = encoding in _UTF8 and compression(source, plan) == "none" and not _starts_with_bom(source.path)
    if plain and not footer:
        for block in _valid(blocks(source, plan, limits), source, plan):
            glance.see(block)
        return glance.result(source.path, plan, source, limits)
    target = scratch / "text"
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        first = True
        for decoded in _decoded(blocks(source, plan, limits), encoding, source, plan):
            block = decoded.removeprefix(_BOM) if first and decoded else decoded
            first = first and not decoded
            if not footer:
                glance.see(block)
            out.write(block)
    if footer:
        _drop_footer(target, plan, source)
        with target.open("rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                glance.see(block)
    return glance.result(target, plan, source, limits)


def _drop_footer(path: Path, plan: Plan, source: SourceFile) -> None:
    """Cut the last lines off a file, and the empty ones after them."""
    lines, end = plan.reading.skip_footer, plan.reading.record_end.encode()
    mark = rb"\r\n|\n|\r" if end == b"auto" else re.escape(end)
    ends, closing = re.compile(mark), re.compile(rb"(?:%b)+\Z" % mark)
    held = _TAIL
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        while True:
            begin = max(0, size - held)
            file.seek(begin)
            tail = file.read()
            while last := closing.search(tail):
                tail = tail[: last.start()]
            starts = [found.end() for found in ends.finditer(tail)]
            if len(starts) > lines or (len(starts) == lines and begin == 0):
                file.truncate(begin + starts[-lines])
                return
            if begin == 0:
                file.truncate(0)
                return
            if held >= _FOOTER:
                raise DataError(
                    f"a footer of more than {_FOOTER} bytes",
                    dataset=plan.dataset,
                    rule="file.limit",
                    object_key=source.key,
                )
            held *= 4


def last_lines(path: Path, count: int) -> str:
    """Read the last lines before the empty ones at the end; less than that, if they are very long."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - (_TAIL if count == 1 else 4 * _LONG)))
        return b"\n".join(file.read().rstrip(b"\r\n").split(b"\n")[-count:]).decode(errors="replace")


def empty_lines(path: Path, *, trailing: bool = False) -> int:
    """Count the empty lines of a file; only those at its end if `trailing`."""
    with path.open("rb") as file:
        if not trailing:
            return sum(1 for line in file if line in {b"\n", b"\r\n"})
        end = file.seek(0, 2)
        file.seek(max(0, end - _TAIL))
        tail = file.read()
    return max(0, tail[len(tail.rstrip(b"\r\n")) :].count(b"\n") - 1)


class _Glance:
    """Collects the facts of `Text` from the blocks of a file, with a few searches at memory speed."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._quote = reading.quote.encode()
        quote, delimiter = re.escape(self._quote), re.escape(reading.delimiter.encode()[-1:])
        # Between delimiters or line ends, quote, blanks and quote are a cell of blanks.
        self._gap = re.compile(rb"(?<![%b\n])%b +%b|%b +%b(?![%b\r\n])" % (delimiter, *[quote] * 4, delimiter))
        self._blanks = re.compile(rb"%b +%b" % (quote, quote))
        self._edge = b"\n"  # the end of the block before
        self._escape = reading.escape.encode() if reading.escape != reading.quote else b""
        self._comment = reading.comment.encode()
        self.escapes = self.reopened = self.comments = False
        self.size = self.lines = self._pairs = self._singles = self._run = 0
        self.quotes = self.nuls = self.long_lines = False
        self._last = b""
        self._marks: list[tuple[int, int]] = []

    def see(self, block: bytes) -> None:
        feeds = block.count(b"\n")
        if self.size >= len(self._marks) * _MARKED:
            self._marks.append((self.size, self.lines))
        self.size += len(block)
        self.lines += feeds
        self.quotes = self.quotes or bool(self._quote and self._quote in block)
        self.escapes = self.escapes or bool(self._escape and self._escape in block)
        if self.quotes and not self.reopened:
            self.reopened = any(map(self._has_gap, (self._edge + block[:_EDGE], block)))
        if self._comment and not self.comments:
            line = b"\n" + self._comment
            self.comments = line in self._edge[-_EDGE:] + block[:_EDGE] or line in block
        self._edge = block[-_EDGE:] or self._edge
        self.nuls = self.nuls or b"\0" in block
        self.long_lines = self.long_lines or self._run + (block.find(b"\n") if feeds else len(block)) > _LONG
        self._run = len(block) - block.rfind(b"\n") if feeds else self._run + len(block)
        if b"\r" in block or self._last == b"\r":
            self._pairs += block.count(b"\r\n") + (self._last == b"\r" and block.startswith(b"\n"))
            self._singles += block.count(b"\r")
        self._last = block[-1:] or self._last

    def _has_gap(self, piece: bytes) -> bool:
        """Look for the pattern only where a plain one, which costs a tenth of it, leaves it possible."""
        return bool(self._blanks.search(piece) and self._gap.search(piece))

    def result(self, path: Path, plan: Plan, source: SourceFile, limits: Limits) -> Text:
        if self.lines > limits.max_rows + plan.reading.skip_lines + 1:
            raise DataError(
                f"more than {limits.max_rows} lines", dataset=plan.dataset, rule="file.limit", object_key=source.key
            )
        uniform = self._singles == self._pairs and self._pairs in {0, self.lines}
        match self._reading.record_end:
            case "auto":
                returns = not uniform
            case "\n":
                returns = self._singles > 0
            case "\r\n":
                returns = not self._singles == self._pairs == self.lines
            case _:
                returns = True
        return Text(
            path=path,
            size=self.size,
            lines=self.lines + (self._last not in {b"", b"\n"}),
            quotes=self.quotes,
            escapes=self.escapes,
            comments=self.comments,
            reopened=self.reopened,
            line_end=r"\r\n" if self._pairs else r"\n",
            returns=returns,
            nuls=self.nuls,
            long_lines=self.long_lines,
            marks=tuple(self._marks),
        )


def _codec(plan: Plan, source: SourceFile) -> str:
    try:
        return codecs.lookup(plan.reading.encoding).name
    except LookupError as error:
        raise DataError(
            f"the contract's encoding {plan.reading.encoding!r} is not known",
            dataset=plan.dataset,
            rule="file.encoding",
            object_key=source.key,
        ) from error


def _starts_with_bom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_BOM)) == _BOM


def _valid(raw: Iterator[bytes], source: SourceFile, plan: Plan) -> Iterator[bytes]:
    """Yield the blocks as they are, once they are known to be UTF-8. Plain ASCII needs no decoding to know it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = source.offset
    for block in raw:
        pending = decoder.getstate()[0]
        if pending or not block.isascii():
            _decode(decoder, block, offset - len(pending), source, plan)
        offset += len(block)
        yield block
    _decode(decoder, b"", offset - len(decoder.getstate()[0]), source, plan, final=True)


def _decoded(raw: Iterator[bytes], encoding: str, source: SourceFile, plan: Plan) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = source.offset
    for block in raw:
        pending = decoder.getstate()[0]
        yield _decode(decoder, block, offset - len(pending), source, plan).encode()
        offset += len(block)
    yield _decode(decoder, b"", offset - len(decoder.getstate()[0]), source, plan, final=True).encode()


def _decode(
    decoder: codecs.IncrementalDecoder,
    block: bytes,
    offset: int,
    source: SourceFile,
    plan: Plan,
    *,
    final: bool = False,
) -> str:
    try:
        return decoder.decode(block, final)
    except UnicodeError as error:
        at = offset + (error.start if isinstance(error, UnicodeDecodeError) else 0)
        raise DataError(
            f"expected {plan.reading.encoding}, got a byte at offset {at} that is not",
            dataset=plan.dataset,
            rule="file.encoding",
            object_key=source.key,
        ) from None  # the original quotes the bytes
