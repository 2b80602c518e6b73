"""Where an object may be cut, so that its parts are read in parallel and give the very records of a sequential reading.

A byte range of a CSV file does not tell whether it begins inside a quoted field, and a newline ends a record only
outside one. So each range is looked at under both hypotheses at once (`scan`, in parallel, in any order), and since the
first range begins outside, the hypotheses chain up to certainty (`chunks`, on the sums). The chain is a proof only if
each quote stands where a quote may stand; whatever casts doubt on that leaves the object in one piece.

No reading happens here, and no parsing: records are found, not understood. What to do with chunks is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import assert_never

from sluice.contract.plan import Reading

CONTEXT = 2  # bytes before a range that its scan looks at
_SAMPLE = 64
_BLOCK = 1 << 20
_EMPTY_LINE = re.compile(rb"\n(?=\r?\n)")
_LINE_BEGUN = re.compile(rb"\n\r?\Z")
BOM = b"\xef\xbb\xbf"
_PLAIN_ENCODINGS = {"utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii"}
_COMPRESSED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".zip", ".xz")
_FOREIGN_HEADS = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"PK\x03\x04", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """The bytes [start, end) of one object: whole records, of which the first has the number `first_row`.

    Records count from 1, without the header. Only the chunk that starts at 0 carries the byte-order mark, skipped lines
    and the header.
    """

    start: int
    end: int
    first_row: int


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How records end in one object, and where its first record (the header, if there is one) begins."""

    quote: bytes  # b"" where fields are never quoted
    delimiter: bytes
    lines: bool  # JSON lines: an object a line
    header: bool
    origin: int


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a stretch of bytes holds, if its beginning is where the hypothesis says (outside or inside quotes)."""

    inside: bool  # the stretch ends inside quotes
    records: int = 0  # record ends, not counting those of empty lines, which are no records
    first_end: int | None = None  # offset after the first record end, be it that of an empty line
    first_counts: bool = False  # and it is not
    bare: bool = False  # some record ends with LF alone
    crlf: bool = False  # some record ends with CR LF
    doubt: bool = False  # a quote or a carriage return stands where it should not


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Both hypotheses about the bytes [start, end)."""

    start: int
    end: int
    outside: Tally
    inside: Tally


def dialect_of(reading: Reading, *, key: str, head: bytes) -> Dialect | None:
    """Tell the dialect of an object whose first bytes are `head`, or None if it must be read in one piece."""
    if reading.encoding.lower() not in _PLAIN_ENCODINGS or not _is_plain(reading.compression, key, head):
        return None
    origin = len(BOM) if head.startswith(BOM) else 0
    match reading.format:
        case "csv":
            return _delimited(reading, head, origin)
        case "json":
            if reading.record_path or head[origin : origin + 1] != b"{":
                return None
            return Dialect(quote=b"", delimiter=b"", lines=True, header=False, origin=origin)
        case "parquet" | "xlsx":
            return None
        case _:
            assert_never(reading.format)


def _delimited(reading: Reading, head: bytes, origin: int) -> Dialect | None:
    quote, delimiter = reading.quote.encode(), reading.delimiter.encode()
    # Of other records nobody knows where they end, or that they are records, by looking at one part of an object.
    foreign = reading.record_end != "auto" or reading.comment or reading.skip_footer or reading.header_lines > 1
    odd = reading.escape != reading.quote or len(quote) > 1 or len(delimiter) != 1
    if foreign or odd:
        return None
    for _ in range(reading.skip_lines):
        origin = head.find(b"\n", origin) + 1
        if origin == 0:
            return None
    return Dialect(quote=quote, delimiter=delimiter, lines=False, header=reading.header, origin=origin)


def _is_plain(compression: str, key: str, head: bytes) -> bool:
    named = compression == "auto" and key.lower().endswith(_COMPRESSED_SUFFIXES)
    return compression in {"auto", "none"} and not named and not head.startswith(_FOREIGN_HEADS)


def ranges(*, size: int, dialect: Dialect, chunk_bytes: int) -> list[tuple[int, int]]:
    """Cut the bytes from the first record on into ranges of about `chunk_bytes`, blind to records."""
    length = max(size - dialect.origin, 0)
    count = max(1, round(length / chunk_bytes))
    edges = [dialect.origin + length * i // count for i in range(count + 1)]
    return [(start, end) for start, end in pairwise(edges) if end > start]


def scan(blocks: Iterable[bytes], *, dialect: Dialect, start: int, last: bool) -> Scan:
    """Look at one range under both hypotheses.

    `blocks` are the bytes from `start` minus CONTEXT (but not before the origin) to the end of the range, in pieces of
    any size. `last`: the object ends where the range ends.
    """
    context = min(CONTEXT, start - dialect.origin)
    before = b"" if context else b"\n"  # the first record begins as if a record had ended before it
    offset = start
    whole = Scan(start=start, end=start, outside=Tally(inside=False), inside=Tally(inside=True))
    for block in blocks:
        missing = max(context - len(before), 0) if offset == start else 0  # the context may come in pieces, too
        before, fresh = (before + block[:missing])[-CONTEXT:], block[missing:]
        if fresh:
            whole = _joined(whole, _scan_block(fresh, before, offset, dialect))
            offset += len(fresh)
            before = (before + fresh[-CONTEXT:])[-CONTEXT:]
    if last and before.endswith(b"\r") and not dialect.lines:  # a carriage return that nothing follows
        hanging = Tally(inside=False, doubt=True)
        return _joined(whole, Scan(start=offset, end=offset, outside=hanging, inside=Tally(inside=True)))
    return whole


def chunks(scans: Sequence[Scan], *, dialect: Dialect, size: int) -> list[Chunk]:
    """Chain the scans of all ranges, in order, to chunks that cover the object. One chunk where there is any doubt."""
    one = [Chunk(start=0, end=size, first_row=1)]
    state = Tally(inside=False)
    starts: list[tuple[int, int]] = []
    for part in scans:
        tally = part.inside if state.inside else part.outside
        before = state.records + tally.first_counts - dialect.header
        if before >= 0 and part is not scans[0] and tally.first_end is not None and tally.first_end < size:
            starts.append((tally.first_end, before + 1))
        state = _then(state, part)
    if state.doubt or state.inside or (state.bare and state.crlf):
        return one
    edges = [(0, 1), *starts]
    ends = [*(start for start, _ in starts), size]
    return [Chunk(start=start, end=end, first_row=row) for (start, row), end in zip(edges, ends, strict=True)]


def no_strays(path: Path, reading: Reading, *, above: int) -> bool:
    """Whether each quote of a delimited file, below so many lines, surely stands where a quote may stand."""
    quote, delimiter = reading.quote.encode(), reading.delimiter.encode()
    if reading.escape != reading.quote or len(quote) != 1 or len(delimiter) != 1:
        return False
    with path.open("rb") as file:
        for _ in range(above):
            file.readline()
        dialect = Dialect(quote=quote, delimiter=delimiter, lines=False, header=False, origin=file.tell())
        found = scan(iter(lambda: file.read(_BLOCK), b""), dialect=dialect, start=dialect.origin, last=True).outside
    return not (found.doubt or found.inside)


def _joined(left: Scan, right: Scan) -> Scan:
    return Scan(start=left.start, end=right.end, outside=_then(left.outside, right), inside=_then(left.inside, right))


def _then(tally: Tally, following: Scan) -> Tally:
    """Add what follows a stretch to its tally."""
    more = following.inside if tally.inside else following.outside
    return Tally(
        inside=more.inside,
        records=tally.records + more.records,
        first_end=more.first_end if tally.first_end is None else tally.first_end,
        first_counts=more.first_counts if tally.first_end is None else tally.first_counts,
        bare=tally.bare or more.bare,
        crlf=tally.crlf or more.crlf,
        doubt=tally.doubt or more.doubt,
    )


def _scan_block(block: bytes, before: bytes, offset: int, dialect: Dialect) -> Scan:
    if dialect.lines:
        tally = _json_lines(block, before, offset)
        return Scan(start=offset, end=offset + len(block), outside=tally, inside=tally)
    pieces = block.split(dialect.quote) if dialect.quote else [block]
    outside, inside = (_records(pieces, first, before, offset, dialect) for first in (0, 1))
    return Scan(start=offset, end=offset + len(block), outside=outside, inside=inside)


def _records(pieces: list[bytes], first: int, before: bytes, offset: int, dialect: Dialect) -> Tally:
    """Tally the block whose parts between quotes are `pieces`, of which every other one from `first` is outside."""
    opened, closed = first == 0, len(pieces) % 2 != first  # the block begins, ends outside
    texts = pieces[first::2]
    if not texts:
        return Tally(inside=True)
    if any(text and _ends_are_foreign(text, dialect) for text in texts[1:-1][:_SAMPLE]):
        return Tally(inside=not closed, doubt=True)  # the wrong hypothesis nearly always ends here, at no cost
    text = (dialect.quote or b"\0").join(texts)
    newlines, crlf, returns = text.count(b"\n"), text.count(b"\r\n"), text.count(b"\r")
    cut_return = opened and before.endswith(b"\r")  # a CR LF that begins in the block before, or a lone CR there
    straddles = cut_return and text.startswith(b"\n")
    lone = returns > crlf + (closed and text.endswith(b"\r")) or cut_return > straddles
    led = (_LINE_BEGUN.search(before) or [b""])[0] + text if opened else text
    blank = len(_EMPTY_LINE.findall(led)) if b"\n\n" in led or b"\n\r" in led else 0
    return Tally(
        inside=not closed,
        records=newlines - blank,
        first_end=_first_end(pieces, first, text, offset, dialect) if newlines else None,
        first_counts=newlines > 0 and not (opened and led != text and text[:2].lstrip(b"\r").startswith(b"\n")),
        bare=newlines > crlf + straddles,
        crlf=crlf + straddles > 0,
        doubt=lone or _strays(texts, text, opened=opened, closed=closed, before=before[-1:], dialect=dialect),
    )


def _ends_are_foreign(text: bytes, dialect: Dialect) -> bool:
    """Whether text between a closing and an opening quote begins or ends with what may not stand there."""
    return text[:1] not in {dialect.delimiter, b"\n", b"\r"} or text[-1:] not in {dialect.delimiter, b"\n"}


def _first_end(pieces: list[bytes], first: int, text: bytes, offset: int, dialect: Dialect) -> int:
    ahead = text[: text.index(b"\n")]
    skipped = first + 2 * (ahead.count(dialect.quote) if dialect.quote else 0)
    within = len(ahead) - (ahead.rfind(dialect.quote) + 1 if dialect.quote else 0)
    return offset + sum(map(len, pieces[:skipped])) + skipped + within + 1


def _strays(texts: list[bytes], text: bytes, *, opened: bool, closed: bool, before: bytes, dialect: Dialect) -> bool:
    """Whether a quote stands elsewhere than at either end of a field or doubled inside one.

    `text` is `texts` (what is outside) joined by quotes, each of which stands for a quoted part. `opened`: the block
    begins outside; `closed`: it ends outside. Counting finds a stray without a look at each piece.
    """
    if not dialect.quote:
        return False
    quote, delimiter, joins = dialect.quote, dialect.delimiter, len(texts) - 1
    head_empty, tail_empty = opened and not texts[0], closed and not texts[-1] and (joins > 0 or not opened)
    doubled = texts.count(b"") - head_empty - tail_empty  # nothing between a closing and an opening quote: `""`
    follows_quote = opened and before == quote  # outside, so that quote was a closing one
    may_open = text.count(delimiter + quote) + text.count(b"\n" + quote) + doubled
    may_close = sum(text.count(quote + after) for after in (delimiter, b"\n", b"\r")) + doubled + tail_empty
    if not closed:  # the last quote of the block opens
        may_open += texts[-1][-1:] in {delimiter, b"\n"}
    if not opened:  # its first quote closes
        may_close += texts[0][:1] in {delimiter, b"\n", b"\r"}
    if head_empty and (joins or not closed):
        may_open += follows_quote or before in {delimiter, b"\n"}
    hangs = follows_quote and texts[0][:1] not in {b"", delimiter, b"\n", b"\r"}
    return hangs or may_open != joins + (not closed) or may_close != joins + (not opened)


def _json_lines(block: bytes, before: bytes, offset: int) -> Tally:
    """Each newline must stand between two objects; then none stands inside one, since JSON has `}{` nowhere else."""
    window = before + block
    found = block.find(b"\n")
    several = any(joint in window for joint in (b"}{", b"} {", b"}\t{"))  # objects in a line, or a text that looks so
    return Tally(
        inside=False,
        records=block.count(b"\n"),
        first_end=offset + found + 1 if found >= 0 else None,
        first_counts=found >= 0,
        bare=found >= 0,
        doubt=several or window.count(b"\n", 1, len(window) - 1) != window.count(b"}\n{"),
    )
