"""Archives, JSON, Parquet and Excel files: whole, damaged, foreign."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import zipfile
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import zstandard

from tests.corpus.case import ID_NOTE, Odd

BODY = "id,note\n1,é\n".encode()
ROWS = [(1, "é")]
ARCHIVE, FORMAT, COLUMNS = "file.compression", "file.format", "file.columns"


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


PACKED = {
    ".gz": gzip.compress(BODY, mtime=0),
    ".zst": zstandard.compress(BODY),
    ".bz2": bz2.compress(BODY),
    ".zip": zipped(a=BODY),
}
NESTED = zipped(inner=zipped(a=BODY))


def archives() -> list[Odd]:
    found = []
    for suffix, data in PACKED.items():
        found += [
            Odd(name=f"{suffix}", content=data, suffix=f".csv{suffix}", rows=ROWS),
            Odd(name=f"{suffix} in capitals", content=data, suffix=f".CSV{suffix.upper()}", rows=ROWS),
            Odd(name=f"{suffix} cut in half", content=data[: len(data) // 2], suffix=suffix, refused=ARCHIVE),
            Odd(name=f"{suffix} without its last byte", content=data[:-1], suffix=suffix, refused=ARCHIVE),
            Odd(name=f"{suffix} of nothing", content=b"", suffix=suffix, refused=""),
            Odd(name=f"{suffix} that is text", content=BODY, suffix=suffix, refused=ARCHIVE),
            Odd(name=f"{suffix} without the suffix", content=data, refused="file."),
            Odd(
                name=f"{suffix} of UTF-16",
                content=_again(suffix, "id,note\n1,é\n".encode("utf-16")),
                suffix=suffix,
                options={"encoding": "utf-16"},
                rows=ROWS,
            ),
        ]
    # An empty gzip, bzip2 or zstd stream holds nothing; nothing has no header. An empty zip is no zip.
    return [odd if odd.refused or odd.rows else _nothing(odd) for odd in found]


def _nothing(odd: Odd) -> Odd:
    return Odd(name=odd.name, content=odd.content, suffix=odd.suffix, refused="file.")


def _again(suffix: str, data: bytes) -> bytes:
    return {
        ".gz": gzip.compress,
        ".zst": zstandard.compress,
        ".bz2": bz2.compress,
        ".zip": lambda body: zipped(a=body),
    }[suffix](data)


OTHERS = [
    Odd(name="gzip said", content=PACKED[".gz"], suffix=".csv", options={"compression": "gzip"}, rows=ROWS),
    Odd(name="none said", content=BODY, suffix=".csv.gz", options={"compression": "none"}, rows=ROWS),
    Odd(name="two gzip members", content=PACKED[".gz"] + gzip.compress(b"2,b\n"), suffix=".gz", rows=[*ROWS, (2, "b")]),
    Odd(
        name="two zstd frames",
        content=PACKED[".zst"] + zstandard.compress(b"2,b\n"),
        suffix=".zst",
        rows=[*ROWS, (2, "b")],
    ),
    Odd(
        name="two bzip2 streams", content=PACKED[".bz2"] + bz2.compress(b"2,b\n"), suffix=".bz2", rows=[*ROWS, (2, "b")]
    ),
    Odd(name="gzip with rubbish after it", content=PACKED[".gz"] + b"rubbish", suffix=".gz", refused=ARCHIVE),
    Odd(
        name="gzip with a wrong checksum",
        content=PACKED[".gz"][:-8] + b"\0\0\0\0" + PACKED[".gz"][-4:],
        suffix=".gz",
        refused=ARCHIVE,
    ),
    Odd(
        name="zip of two members",
        content=zipped(a=BODY, b=BODY),
        suffix=".zip",
        refused=f"{ARCHIVE}: expected a zip with",
    ),
    Odd(name="zip of no member", content=zipped(), suffix=".zip", refused=ARCHIVE),
    Odd(name="zip in a zip", content=NESTED, suffix=".zip", refused="file."),
    Odd(
        name="zip whose member has an evil name", content=zipped(**{"../../etc/passwd": BODY}), suffix=".zip", rows=ROWS
    ),
    Odd(
        name="encrypted zip",
        content=PACKED[".zip"]
        .replace(b"PK\x03\x04\x14\0\0\0", b"PK\x03\x04\x14\0\1\0")
        .replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"),
        suffix=".zip",
        refused=ARCHIVE,
    ),
]

MORE = {"id": "bigint", "note": "string", "amount": "decimal(9,2)"}
JSON = {"format": "json", "missingColumns": "null"}


def json_odd(name: str, text: str | bytes, **more: Any) -> Odd:
    content = text if isinstance(text, bytes) else text.encode()
    return Odd(
        name=f"JSON: {name}", content=content, suffix=".json", options={**JSON, **more.pop("options", {})}, **more
    )


BROKEN = [(2, "row.json")]
GOOD, LAST = '{"id":1,"note":"a"}\n', '{"id":3,"note":"c"}\n'
AC = [(1, "a"), (3, "c")]
JSONS = [
    json_odd("lines", GOOD + LAST, rows=AC),
    json_odd("array", "[" + GOOD + "," + LAST + "]", rows=AC),
    json_odd("array with a mark", b"\xef\xbb\xbf[" + GOOD.encode() + b"]", rows=[(1, "a")]),
    json_odd("lines with a mark", b"\xef\xbb\xbf" + GOOD.encode(), rows=[(1, "a")]),
    json_odd("UTF-16", GOOD.encode("utf-16"), options={"encoding": "utf-16"}, rows=[(1, "a")]),
    json_odd("nothing", "", rows=[]),
    json_odd("empty array", "[]", rows=[]),
    json_odd("empty object", "{}\n", rows=[(None, None)]),
    json_odd("CR LF", GOOD.replace("\n", "\r\n") + "\r\n" + LAST, rows=AC),
    json_odd("a member twice", GOOD + '{"id":2,"id":9}\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("deep nesting", GOOD + '{"note":' + "[" * 5_000 + "]" * 5_000 + "}\n" + LAST, rows=AC, rejects=BROKEN),
    json_odd("deep nesting never closed", GOOD + "[" * 50_000 + "\n" + LAST, rows=AC, rejects=BROKEN),
    json_odd("NaN", GOOD + '{"id":NaN}\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("Infinity", GOOD + '{"id":-Infinity}\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("a comma too many", GOOD + '{"id":2,}\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("single quotes", GOOD + "{'id':2}\n" + LAST, rows=AC, rejects=BROKEN),
    json_odd("a comment", GOOD + "// two\n" + LAST, rows=AC, rejects=BROKEN),
    json_odd("a line cut short", GOOD + '{"id":2,"no\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("two objects in a line", GOOD + '{"id":2}{"id":4}\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("an array in a line", GOOD + '[{"id":2}]\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("a text in a line", GOOD + '"id"\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("half of a surrogate pair", GOOD + '{"id":2,"note":"\\ud83d"}\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("a surrogate pair", '{"id":1,"note":"\\ud83d\\ude00"}\n', rows=[(1, "😀")]),
    json_odd("NUL in a text", '{"id":1,"note":"a\\u0000b"}\n', rows=[(1, "a\0b")]),
    json_odd("a control character in a text", GOOD + '{"id":2,"note":"a\x01b"}\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd("a huge number", '{"id":' + "9" * 100_000 + "}\n", rows=[], rejects=[(1, "type")]),
    json_odd(
        "a number with many digits",
        '{"amount":1234.50}\n{"amount":1e2}\n',
        columns=MORE,
        rows=[(None, None, Decimal("1234.50"))],
        rejects=[(2, "type")],
    ),
    json_odd("an integer beyond 2 to 53", '{"id":9007199254740993}\n', rows=[(9007199254740993, None)]),
    json_odd("a float where an integer is wanted", '{"id":1.0}\n', rows=[], rejects=[(1, "type")]),
    json_odd("an unknown member", GOOD + '{"id":2,"x":1}\n' + LAST, rows=AC, rejects=BROKEN),
    json_odd(
        "unknown members taken",
        '{"id":1,"x":[1.10],"y":null}\n',
        columns={**ID_NOTE, "more": "string"},
        options={"unknownColumns": "take", "extraColumn": "more"},
        rows=[(1, None, '{"x":[1.10],"y":null}')],
    ),
    json_odd("array with a comma too many", "[" + GOOD + ",]", refused="file.json"),
    json_odd("array never closed", "[" + GOOD, refused="file.json"),
    json_odd("array with text after it", "[" + GOOD + "] x", refused="file.json"),
    json_odd("two arrays", "[" + GOOD + "][" + LAST + "]", refused="file.json"),
    json_odd("a CSV file", "id,note\n1,a\n", rejects=[(1, "row.json"), (2, "row.json")], rows=[]),
]


def parquet(query: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        duckdb.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        return path.read_bytes()


def frame(table: pd.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, **options)
    return buffer.getvalue()


def parquet_odd(name: str, content: bytes, **more: Any) -> Odd:
    options = {"format": "parquet", **more.pop("options", {})}
    return Odd(name=f"Parquet: {name}", content=content, suffix=".parquet", options=options, **more)


WHOLE = parquet("SELECT 1::BIGINT AS id, 'a' AS note")
MOMENT = dt.datetime.fromisoformat("2024-02-29T13:00:00")
PARQUETS = [
    parquet_odd("whole", WHOLE, rows=[(1, "a")]),
    parquet_odd("no rows", parquet("SELECT 1::BIGINT AS id, 'a' AS note LIMIT 0"), rows=[]),
    parquet_odd("nothing", b"", refused=FORMAT),
    parquet_odd("cut in half", WHOLE[: len(WHOLE) // 2], refused=FORMAT),
    parquet_odd("without its footer", WHOLE[:-20] + WHOLE[-4:], refused=FORMAT),
    parquet_odd("with a damaged footer", WHOLE[:-60] + b"\xff" * 52 + WHOLE[-8:], refused=FORMAT),
    parquet_odd("a CSV file", b"id,note\n1,a\n", refused=FORMAT),
    parquet_odd(
        "INT96 moments",
        frame(pd.DataFrame({"id": [1], "note": [MOMENT]}), use_deprecated_int96_timestamps=True),
        columns={"id": "bigint", "note": "timestamp"},
        rows=[(1, MOMENT)],
    ),
    parquet_odd(
        "numbers of other widths", parquet("SELECT 1::UTINYINT AS id, 7::HUGEINT::SMALLINT AS note"), rows=[(1, "7")]
    ),
    parquet_odd(
        "a double for an integer", parquet("SELECT 1.5::DOUBLE AS id, 'a' AS note"), rows=[], rejects=[(1, "type")]
    ),
    parquet_odd(
        "bytes for a text", parquet("SELECT 1 AS id, '\\xAA'::BLOB AS note"), rows=[], rejects=[(1, "row.encoding")]
    ),
    parquet_odd("an unknown column", parquet("SELECT 1 AS id, 'a' AS note, 2 AS x"), refused=COLUMNS),
    parquet_odd(
        "unknown columns taken",
        parquet("SELECT 1 AS id, 'a' AS note, 2 AS x, [1,2] AS y"),
        columns={**ID_NOTE, "more": "string"},
        options={"unknownColumns": "take", "extraColumn": "more"},
        rows=[(1, "a", '{"x":"2","y":"[1,2]"}')],
    ),
    parquet_odd("a missing column", parquet("SELECT 1 AS id"), refused=COLUMNS),
]


def workbook(*sheets: list[list[Any]], merge: str = "") -> bytes:
    book = openpyxl.Workbook()
    for number, rows in enumerate(sheets):
        sheet = book.active if number == 0 else book.create_sheet()
        for row in rows:
            sheet.append(row)
        if merge:
            sheet.merge_cells(merge)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def sheet_odd(name: str, content: bytes, **more: Any) -> Odd:
    options = {"format": "xlsx", **more.pop("options", {})}
    return Odd(name=f"Excel: {name}", content=content, suffix=".xlsx", options=options, **more)


HEAD = ["id", "note"]
BOOK = workbook([HEAD, [1, "a"]])
SHEETS = [
    sheet_odd("one sheet", BOOK, rows=[(1, "a")]),
    sheet_odd("several sheets, the first counts", workbook([HEAD, [1, "a"]], [HEAD, [2, "b"]]), rows=[(1, "a")]),
    sheet_odd("an empty first sheet", workbook([], [HEAD, [2, "b"]]), refused=COLUMNS),
    sheet_odd("formulas never computed", workbook([HEAD, [1, "=1+1"]]), rows=[], rejects=[(1, "type")]),
    sheet_odd("merged cells", workbook([HEAD, [1, "a"], [2, None]], merge="B2:B3"), rows=[(1, "a"), (2, None)]),
    sheet_odd(
        "days",
        workbook([HEAD, [1, dt.date(2024, 2, 29)]]),
        columns={"id": "bigint", "note": "date"},
        rows=[(1, dt.date(2024, 2, 29))],
    ),
    sheet_odd(
        "moments", workbook([HEAD, [1, MOMENT]]), columns={"id": "bigint", "note": "timestamp"}, rows=[(1, MOMENT)]
    ),
    sheet_odd("numbers as texts", workbook([HEAD, ["1", 2.5]]), rows=[(1, "2.5")]),
    sheet_odd("an error value", workbook([HEAD, ["#DIV/0!", "a"]]), rows=[], rejects=[(1, "type")]),
    sheet_odd(
        "rows above the header", workbook([["Report"], [], HEAD, [1, "a"]]), options={"skipLines": 2}, rows=[(1, "a")]
    ),
    sheet_odd("empty rows between", workbook([HEAD, [], [1, "a"], [], [2, "b"]]), rows=[(1, "a"), (2, "b")]),
    sheet_odd(
        "a cell too many", workbook([HEAD, [1, "a", "x"], [2, "b"]]), rows=[(2, "b")], rejects=[(1, "row.fields")]
    ),
    sheet_odd("line feeds and quotes", workbook([HEAD, [1, 'a\n"b"']]), rows=[(1, 'a\n"b"')]),
    sheet_odd("cut in half", BOOK[: len(BOOK) // 2], refused=FORMAT),
    sheet_odd("a zip of something else", zipped(a=BODY), refused=FORMAT),
    sheet_odd("a CSV file", BODY, refused=FORMAT),
    sheet_odd("nothing", b"", refused=FORMAT),
]

CASES = [*archives(), *OTHERS, *JSONS, *PARQUETS, *SHEETS]
