"""Files that are meant to hurt: bombs, and what makes careless readers slow or hungry. Made when they are needed."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tests.corpus.case import ID_NOTE, Odd
from tests.corpus.packed_cases import BOOK, zipped

HEAD = b"id,note\n"
LIMIT, RATIO = "file.limit", "file.limit: decompresses to more than 200 times its size"
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A recipe for a file, and what must become of it, as in `Odd`."""

    name: str
    make: Callable[[], bytes]
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=lambda: ID_NOTE)
    suffix: str = ".csv"
    count: int = 0
    rejects: int = 0
    refused: str = ""

    @property
    def odd(self) -> Odd:
        """The case, made."""
        return Odd(
            name=self.name,
            content=self.make(),
            options=self.options,
            columns=self.columns,
            suffix=self.suffix,
            count=self.count,
            rejects=self.rejects,
            refused=self.refused,
        )


def packed(suffix: str, unit: bytes, size: int) -> Callable[[], bytes]:
    def make() -> bytes:
        body = HEAD + unit * (size // len(unit))
        match suffix:
            case ".gz":
                return gzip.compress(body, mtime=0)
            case ".zst":
                return zstandard.compress(body)
            case ".bz2":
                return bz2.compress(body)
            case _:
                return zipped(a=body)

    return make


ENTITIES = b"".join(b'<!ENTITY a%d "%b">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
LAUGHTER = (
    b'<row r="2"><c r="A2" t="inlineStr"><is><t>&a9;</t></is></c></row>',
    b'<!DOCTYPE x [<!ENTITY a0 "ha">%b]>' % ENTITIES,
)

BOMBS = [
    *(
        Hostile(name=f"{suffix} bomb of one {what}", make=packed(suffix, unit, 128 * MIB), suffix=suffix, refused=RATIO)
        for suffix in (".gz", ".zst", ".bz2", ".zip")
        for what, unit in (("field", b"x"), ("million rows", b"9,a\n"), ("million empty lines", b"\n"))
    ),
    Hostile(
        name="gzip of a gzip bomb",
        suffix=".gz",
        refused="file.encoding",
        make=lambda: gzip.compress(gzip.compress(bytes(64 * MIB), mtime=0), mtime=0),
    ),
    Hostile(
        name="many gzip members",
        suffix=".gz",
        refused=RATIO,
        make=lambda: gzip.compress(HEAD) + gzip.compress(b"9,a\n" * 262_144) * 100,
    ),
    Hostile(
        name="zip of many members",
        suffix=".zip",
        refused="file.compression: expected a zip with one member, got 20000",
        make=lambda: zipped(**{f"a{number}": b"" for number in range(20_000)}),
    ),
    Hostile(
        name="zip whose member lies about its size",
        suffix=".zip",
        refused="file.compression",
        make=lambda: lying(zipped(a=HEAD + b"x" * 64 * MIB)),
    ),
    Hostile(name="zip bomb in a zip", suffix=".zip", refused="file.", make=lambda: zipped(a=zipped(a=bytes(64 * MIB)))),
    Hostile(
        name="UTF-16 bomb",
        suffix=".gz",
        options={"encoding": "utf-16"},
        refused=RATIO,
        make=lambda: gzip.compress(("id,note\n1," + "x" * 64 * MIB).encode("utf-16"), mtime=0),
    ),
    Hostile(
        name="JSON bomb",
        suffix=".json.gz",
        options={"format": "json"},
        refused=RATIO,
        make=lambda: gzip.compress(b'[{"id":"' + b"x" * 64 * MIB, mtime=0),
    ),
    Hostile(
        name="Parquet bomb of rows",
        suffix=".parquet",
        options={"format": "parquet"},
        refused=LIMIT,
        make=lambda: parquet_of(20_000_000, "a"),
    ),
    Hostile(
        name="Parquet bomb of one text",
        suffix=".parquet",
        options={"format": "parquet"},
        refused=LIMIT,
        make=lambda: parquet_of(100_000, "x" * 1_000_000),
    ),
    Hostile(
        name="Excel bomb of blanks",
        suffix=".xlsx",
        options={"format": "xlsx"},
        refused=LIMIT,
        make=lambda: book(b"<row>" + b" " * 64 * MIB + b"</row>"),
    ),
    Hostile(
        name="Excel bomb of empty cells",
        suffix=".xlsx",
        options={"format": "xlsx"},
        refused=LIMIT,
        make=lambda: book(b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (n, n) for n in range(2, 100_000))),
    ),
    Hostile(
        name="Excel row far below",
        suffix=".xlsx",
        options={"format": "xlsx"},
        rejects=0,
        count=1,
        make=lambda: book(b'<row r="1048576"><c r="A1048576"><v>1</v></c></row>'),
    ),
    Hostile(
        name="Excel of many parts",
        suffix=".xlsx",
        options={"format": "xlsx"},
        refused=LIMIT,
        make=lambda: zipped(**{f"a{number}": b"" for number in range(20_000)}),
    ),
    Hostile(
        name="Excel with entities that grow",
        suffix=".xlsx",
        options={"format": "xlsx"},
        refused="file.format",
        make=lambda: book(LAUGHTER[0], head=LAUGHTER[1]),
    ),
]


def lying(archive: bytes) -> bytes:
    """A zip that says 10 bytes and holds 64 MiB."""
    data = bytearray(archive)
    size = struct.pack("<I", len(HEAD) + 64 * MIB)
    for at in (data.find(size), data.rfind(size)):
        data[at : at + 4] = struct.pack("<I", 10)
    return bytes(data)


def parquet_of(rows: int, text: str) -> bytes:
    buffer = io.BytesIO()
    ids, notes = pa.array([1]).take(pa.array([0] * 1000)), pa.array([0] * 1000, pa.int32())
    table = pa.table({"id": ids, "note": pa.DictionaryArray.from_arrays(notes, pa.array([text]))})
    pq.write_table(pa.concat_tables([table] * (rows // 1000)), buffer, compression="zstd")
    return buffer.getvalue()


def book(rows: bytes, *, head: bytes = b"") -> bytes:
    """A workbook whose sheet has the header and these rows."""
    with zipfile.ZipFile(io.BytesIO(BOOK)) as archive:
        members = {item.filename: archive.read(item) for item in archive.infolist()}
    cell = b'<c r="%b1" t="inlineStr"><is><t>%b</t></is></c>'
    names = b'<row r="1">%b%b</row>' % (cell % (b"A", b"id"), cell % (b"B", b"note"))
    space = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    sheet = head + b"<worksheet %b><sheetData>%b%b</sheetData></worksheet>" % (space, names, rows)
    return zipped(**{**members, "xl/worksheets/sheet1.xml": sheet})


QUOTES = [
    Hostile(name="a quote left open in every line", make=lambda: HEAD + b'x","z\n' * 200_000, rejects=200_000),
    Hostile(name="a quote left open in every short line", make=lambda: HEAD + b'"\n' * 200_001, rejects=100_001),
    Hostile(
        name="one open quote before half a million rows",
        make=lambda: HEAD + b'1,"x\n' + b"2,b\n" * 500_000,
        rejects=1,
        count=500_000,
    ),
    Hostile(name="an open quote and no line end", make=lambda: HEAD + b'1,"' + b"x" * 20 * MIB, refused=LIMIT),
    Hostile(name="a line of quotes", make=lambda: HEAD + b"1," + b'"' * 6 * MIB + b"\n2,b\n", count=2),
    Hostile(
        name="a line of quotes too many",
        make=lambda: HEAD + b"1," + b'"' * (6 * MIB + 1) + b"\n2,b\n",
        count=1,
        rejects=1,
    ),
    Hostile(
        name="backslashes and open quotes",
        options={"escape": "\\"},
        rejects=200_000,
        make=lambda: HEAD + b'x","z\\"\n' * 200_000,
    ),
    Hostile(
        name="a line of backslashes",
        options={"escape": "\\"},
        make=lambda: HEAD + b'1,"' + b"\\" * 6 * MIB + b'"\n',
        count=1,
    ),
    Hostile(
        name="quotes that nothing protects",
        options={"escape": ""},
        rejects=200_000,
        make=lambda: HEAD + b'x,"a"b\n' * 200_000,
    ),
    Hostile(
        name="quotes and blanks that nothing protects",
        options={"escape": "", "blanks": "trim"},
        count=1,
        make=lambda: HEAD + b'1,"' + b'"  ' * 2 * MIB + b"\n",
    ),
    Hostile(name="quotes astray", make=lambda: HEAD + b'x"y,' * (7 * MIB // 4) + b"\n1,a\n", count=1, rejects=1),
    Hostile(
        name="quotes astray in pairs",
        make=lambda: HEAD + b'x""y,' * (7 * MIB // 5) + b'z"\n1,a\n',
        count=1,
        rejects=1,
    ),
    Hostile(name="quoted line feeds", make=lambda: HEAD + b'1,"' + b"\n" * 1_000_000 + b'"\n', count=1),
    Hostile(name="open quotes beside blanks", make=lambda: HEAD + b'x" , "z\n' * 200_000, rejects=200_000),
]

SIZES = [
    Hostile(name="a field of nine megabytes", make=lambda: HEAD + b"1," + b"x" * 9 * MIB + b"\n", refused=LIMIT),
    Hostile(name="a field of seven megabytes", make=lambda: HEAD + b"1," + b"x" * 7 * MIB + b"\n", count=1),
    Hostile(name="a header of nine megabytes", make=lambda: b"x" * 9 * MIB, refused=LIMIT),
    Hostile(name="a line of delimiters", make=lambda: HEAD + b"," * 7 * MIB + b"\n1,a\n", count=1, rejects=1),
    Hostile(
        name="a header of delimiters", make=lambda: b"," * 7 * MIB + b"\n", refused="file.limit: more than 4096 columns"
    ),
    Hostile(
        name="four thousand columns", options={"unknownColumns": "ignore"}, count=300, make=lambda: wide(4_000, 300)
    ),
    Hostile(
        name="four thousand columns taken",
        count=100,
        make=lambda: wide(4_000, 100),
        columns={**ID_NOTE, "more": "string"},
        options={"unknownColumns": "take", "extraColumn": "more"},
    ),
    Hostile(
        name="seventeen thousand columns",
        options={"unknownColumns": "ignore"},
        refused=LIMIT,
        make=lambda: wide(17_000, 10),
    ),
    Hostile(name="half a million ragged rows", make=lambda: HEAD + b"x\n" * 500_000, rejects=500_000),
    Hostile(name="five million empty lines", make=lambda: HEAD + b"\n" * 5_000_000 + b"1,a\n", count=1),
    Hostile(name="half a million CR ends", make=lambda: b"id,note\r" + b"1,a\r" * 500_000, count=500_000),
    Hostile(name="twenty megabytes of NULs", make=lambda: HEAD + bytes(20 * MIB), refused=LIMIT),
    Hostile(name="a number of a million digits", make=lambda: HEAD + b"9" * 1_000_000 + b",a\n", rejects=1),
    Hostile(
        name="a decimal of a million digits",
        columns={"id": "decimal(38,10)", "note": "string"},
        rejects=1,
        options={"decimalSeparator": ",", "delimiter": ";"},
        make=lambda: b"id;note\n0," + b"9" * 1_000_000 + b";a\n",
    ),
    Hostile(
        name="blanks to trim",
        options={"blanks": "trim"},
        count=1,
        make=lambda: HEAD + b" " * 3 * MIB + b"1, \t" + b" " * 3 * MIB + b"\n",
    ),
    Hostile(name="half delimiters", options={"delimiter": "aab"}, refused="file.columns", make=lambda: b"a" * 7 * MIB),
    Hostile(name="comments", options={"comment": "#"}, count=1, make=lambda: HEAD + b"#\n" * 2_000_000 + b"1,a\n"),
    Hostile(
        name="a footer of eighty megabytes",
        options={"skipFooter": 1},
        refused=LIMIT,
        make=lambda: HEAD + b"x" * 80 * MIB,
    ),
    Hostile(name="record ends nowhere", options={"recordEnd": "~"}, refused=LIMIT, make=lambda: HEAD * 2 * MIB),
    Hostile(
        name="JSON nested forever",
        options={"format": "json"},
        refused=LIMIT,
        suffix=".json",
        make=lambda: b"[" * 10 * MIB,
    ),
    Hostile(
        name="a JSON line nested deep",
        options={"format": "json"},
        rejects=1,
        suffix=".json",
        make=lambda: b'{"id":' + b"[" * 4 * MIB + b"\n",
    ),
    Hostile(
        name="a JSON object of many members",
        options={"format": "json"},
        rejects=1,
        suffix=".json",
        make=lambda: json.dumps({f"a{number}": number for number in range(200_000)}).encode(),
    ),
    Hostile(
        name="a JSON text never closed",
        options={"format": "json"},
        refused=LIMIT,
        suffix=".json",
        make=lambda: b'[{"id":"' + b"x" * 20 * MIB,
    ),
    Hostile(
        name="JSON lines never closed",
        options={"format": "json"},
        rejects=200_000,
        suffix=".json",
        make=lambda: b'{"id":1\n' * 200_000,
    ),
]


def wide(columns: int, rows: int) -> bytes:
    names = ["id", "note", *(f"c{number}" for number in range(columns - 2))]
    return ("\n".join([",".join(names), *([",".join(["1"] * columns)] * rows)]) + "\n").encode()


CASES = [*BOMBS, *QUOTES, *SIZES]
