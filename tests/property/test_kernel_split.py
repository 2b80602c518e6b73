"""Any cut of an object gives the records of a sequential reading, or there is no cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.contract.plan import Reading
from sluice.kernel.framing.split import CONTEXT, Chunk, chunks, dialect_of, ranges, scan

FIELDS = st.text(alphabet='ab",;\n\r é\x00', max_size=6)
RECORDS = st.lists(st.lists(FIELDS, min_size=2, max_size=3), max_size=30)
CSV = Reading(format="csv")


def cut(data: bytes, reading: Reading, *, chunk_bytes: int, block: int = 5, key: str = "d/a.csv") -> list[Chunk] | None:
    """What the driver and the tasks do, with blocks so small that everything straddles."""
    dialect = dialect_of(reading, key=key, head=data[:64])
    if dialect is None:
        return None
    scans = []
    for start, end in ranges(size=len(data), dialect=dialect, chunk_bytes=chunk_bytes):
        wanted = data[max(start - CONTEXT, dialect.origin) : end]
        blocks = [wanted[i : i + block] for i in range(0, len(wanted), block)]
        scans.append(scan(blocks, dialect=dialect, start=start, last=end == len(data)))
    return chunks(scans, dialect=dialect, size=len(data))


def boundaries(data: bytes) -> dict[int, int]:
    """The sequential reading, byte by byte: how many records end before each place where a line may begin."""
    found, inside, begin, count = {0: 0}, False, 0, 0
    for offset, byte in enumerate(data):
        inside ^= byte == ord('"')
        if byte == ord("\n") and not inside:
            count += data[begin:offset] not in {b"", b"\r"}  # an empty line is no record
            begin = offset + 1
            found[begin] = count
    return found


def rendered(records: list[list[str]], line_end: str) -> bytes:
    def field(text: str) -> str:
        quoted = any(char in text for char in '",\n\r') or not text
        return '"' + text.replace('"', '""') + '"' if quoted else text

    return "".join(",".join(map(field, record)) + line_end for record in [["h1", "h2"], *records]).encode()


def check_cover(parts: list[Chunk], size: int) -> None:
    assert parts[0].start == 0
    assert parts[0].first_row == 1
    assert parts[-1].end == size
    assert all(left.end == right.start for left, right in pairwise(parts))


@settings(max_examples=150, deadline=None)
@given(
    records=RECORDS,
    line_end=st.sampled_from(["\n", "\r\n"]),
    chunk=st.integers(3, 60),
    block=st.integers(1, 40),
    ends=st.tuples(st.sampled_from([b"", b"\xef\xbb\xbf"]), st.booleans()),
)
def test_cuts_of_a_well_formed_file_are_record_starts_with_their_numbers(
    records: list[list[str]], line_end: str, chunk: int, block: int, ends: tuple[bytes, bool]
) -> None:
    data = rendered(records, line_end)
    bom, final = ends
    data = bom + (data if final else data.removesuffix(line_end.encode()))
    parts = cut(data, CSV, chunk_bytes=chunk, block=block)
    assert parts is not None
    check_cover(parts, len(data))
    ends_before = boundaries(data)
    assert [ends_before[part.start] for part in parts[1:]] == [part.first_row for part in parts[1:]]


@settings(max_examples=150, deadline=None)
@given(
    records=RECORDS, line_end=st.sampled_from(["\n", "\r\n"]), blocks=st.tuples(st.integers(1, 9), st.integers(1, 90))
)
def test_the_blocks_that_bytes_arrive_in_do_not_matter(
    records: list[list[str]], line_end: str, blocks: tuple[int, int]
) -> None:
    data = rendered(records, line_end)
    small, large = (cut(data, CSV, chunk_bytes=20, block=block) for block in blocks)
    assert small == large


@settings(max_examples=300, deadline=None)
@given(data=st.text(alphabet='a",\n\r {}', max_size=60), chunk=st.integers(3, 20), block=st.integers(1, 9))
def test_cuts_of_any_text_at_all_fall_on_record_starts(data: str, chunk: int, block: int) -> None:
    raw = data.encode()
    parts = cut(raw, CSV, chunk_bytes=chunk, block=block)
    assert parts is not None
    check_cover(parts, len(raw))
    ends_before = boundaries(raw)
    for part in parts[1:]:
        assert ends_before[part.start] == part.first_row
        assert raw[: part.start].count(b'"') % 2 == 0


@settings(max_examples=150, deadline=None)
@given(
    records=st.lists(
        st.dictionaries(st.text(max_size=4), st.one_of(st.text(max_size=6), st.lists(st.integers()))), min_size=1
    ),
    chunk=st.integers(3, 60),
    block=st.integers(1, 40),
)
def test_json_lines_are_cut_between_objects(records: list[dict[str, object]], chunk: int, block: int) -> None:
    lines = [json.dumps(record).encode() + b"\n" for record in records]
    data = b"".join(lines)
    parts = cut(data, Reading(format="json"), chunk_bytes=chunk, block=block)
    assert parts is not None
    check_cover(parts, len(data))
    for part in parts:
        assert data[: part.start] == b"".join(lines[: part.first_row - 1])


def test_a_large_clean_file_is_really_cut() -> None:
    data = rendered([[f"x{i}", 'quoted "text"\nover lines, too'] for i in range(1000)], "\n")
    parts = cut(data, CSV, chunk_bytes=len(data) // 8, block=1000)
    assert parts is not None
    assert len(parts) == 8
    assert max(part.end - part.start for part in parts) < len(data) // 7


def doubtful() -> Iterator[object]:
    body = b"".join(b"row %d,text\n" % i for i in range(200))
    yield pytest.param(b"a,b\n" + body + b'1,5" pipe\n' + body, id="a quote within an unquoted field")
    yield pytest.param(b"a,b\n" + body + b'1, "5\n"\n' + body, id="a space before a quote")
    yield pytest.param(b"a,b\n" + body + b'1,"5"x\n' + body, id="text after a closing quote")
    yield pytest.param(b"a,b\n" + body + b'1,"never closed\n' + body, id="a quote that is never closed")
    yield pytest.param(b"a,b\n" + body + body.replace(b"\n", b"\r\n"), id="mixed record ends")
    yield pytest.param(b"a,b\n" + body + b"1,2\r3,4\n" + body, id="a lone carriage return")
    yield pytest.param(b"a,b\n" + body + b"1,2\r", id="a carriage return at the end")


@pytest.mark.parametrize("data", list(doubtful()))
def test_a_doubt_anywhere_leaves_the_object_whole(data: bytes) -> None:
    for chunk in (97, 640, 1000):
        for block in (1, 7, 4096):
            assert cut(data, CSV, chunk_bytes=chunk, block=block) == [Chunk(start=0, end=len(data), first_row=1)]


@pytest.mark.parametrize("odd", [b'{\n"row": 1}\n', b"\n", b"no object\n", b'{"row": 1},\n', b'{"row": 1}\r\n'])
def test_json_that_is_not_an_object_a_line_stays_whole(odd: bytes) -> None:
    lines = b"".join(b'{"row": %d}\n' % row for row in range(100))
    assert len(cut(lines + lines, Reading(format="json"), chunk_bytes=300) or []) > 1
    for block in (1, 7, 4096):
        data = lines + odd + lines
        parts = cut(data, Reading(format="json"), chunk_bytes=300, block=block)
        assert parts == [Chunk(start=0, end=len(data), first_row=1)]


@settings(max_examples=200, deadline=None)
@given(
    gaps=st.lists(st.integers(0, 3), min_size=20, max_size=40),
    line_end=st.sampled_from([b"\n", b"\r\n"]),
    chunk=st.integers(3, 40),
    block=st.integers(1, 9),
)
def test_empty_lines_are_no_records(gaps: list[int], line_end: bytes, chunk: int, block: int) -> None:
    data = b"".join(line_end * gap + b'%d,"x\n\n"' % row + line_end for row, gap in enumerate(gaps))
    parts = cut(data, CSV, chunk_bytes=chunk, block=block)
    assert parts is not None
    assert len(parts) > 1
    for part in parts[1:]:
        assert data[part.start :].strip().startswith(b"%d," % part.first_row) or not data[part.start :].strip()


@pytest.mark.parametrize(
    ("reading", "key", "head"),
    [
        (Reading(encoding="utf-16"), "d/a.csv", b"a,b\n"),
        (Reading(encoding="windows-1252"), "d/a.csv", b"a,b\n"),
        (Reading(escape="\\"), "d/a.csv", b"a,b\n"),
        (Reading(delimiter="||"), "d/a.csv", b"a||b\n"),
        (Reading(compression="gzip"), "d/a.csv", b"a,b\n"),
        (Reading(), "d/a.csv.GZ", b"a,b\n"),
        (Reading(), "d/a.csv", b"\x1f\x8b\x08"),
        (Reading(), "d/a.csv", b"\xff\xfea\x00"),
        (Reading(skip_lines=3), "d/a.csv", b"one line\n"),
        (Reading(record_end="\n"), "d/a.csv", b"a,b\n"),
        (Reading(record_end="\r"), "d/a.csv", b"a,b\r"),
        (Reading(comment="#"), "d/a.csv", b"a,b\n"),
        (Reading(skip_footer=1), "d/a.csv", b"a,b\n"),
        (Reading(header_lines=2), "d/a.csv", b"a,b\n"),
        (Reading(quote="", escape="\\"), "d/a.csv", b"a,b\n"),
        (Reading(escape=""), "d/a.csv", b"a,b\n"),
        (Reading(format="parquet"), "d/a.parquet", b"PAR1"),
        (Reading(format="json"), "d/a.json", b'[{"a": 1}]'),
    ],
)
def test_what_cannot_be_cut_safely_has_no_dialect(reading: Reading, key: str, head: bytes) -> None:
    assert dialect_of(reading, key=key, head=head) is None


def test_skipped_lines_may_hold_quotes() -> None:
    body = b"".join(b'"row %d","te\nxt"\n' % i for i in range(200))
    data = b'made by "someone\n' + b"a,b\n" + body
    parts = cut(data, Reading(skip_lines=1), chunk_bytes=400)
    assert parts is not None
    assert len(parts) > 4
    assert all(data[part.start :].startswith(b'"row %d"' % (part.first_row - 1)) for part in parts[1:])
