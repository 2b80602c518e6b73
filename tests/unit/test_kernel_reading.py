"""Bytes to cells: dialects, encodings, compression, formats, and files that are almost right or meant to hurt."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import json
import random
import time
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest
import zstandard

from sluice.contract.plan import Plan, Reading
from sluice.kernel.outcome import Limits
from tests.unit.kernel_case import column, plan, run

HEADER = "id,note\n"


def notes(**reading: Any) -> Plan:
    return plan(columns=(column("id", "long"), column("note", "string")), rules=(), reading=Reading(**reading))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('"a,b"', "a,b"),
        ('"a ""b"" c"', 'a "b" c'),
        ('"two\nlines"', "two\nlines"),
        ('"two\r\nlines"', "two\r\nlines"),
        ('a"b', 'a"b'),
        (' "a,b"', "a,b"),
        ('  "a"', '  "a"'),
        ('"a,b"  ', "a,b"),
        ('"a "" b "', 'a " b '),
        ('" "', " "),
        (" a ", " a "),
        ('""', None),
        ("é😀", "é😀"),
        ("a\0b", "a\0b"),
        ("=1+1", "=1+1"),
    ],
)
def test_cell_is_read_as_it_is_written(tmp_path: Path, cell: str, value: str | None) -> None:
    case = run(tmp_path, f"{HEADER}1,{cell}\n2,plain\n", notes())
    assert case.rows("id, note") == [(1, value), (2, "plain")]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ('1,"open', "expected a closing quote, got none"),
        ('"open,1', "expected a closing quote, got none"),
        ('1,"a" b', "expected a delimiter or the end of the line after a closing quote, got more text"),
        ('1, "a" b', "expected a delimiter or the end of the line after a closing quote, got more text"),
        ('1,"x" "a"', "expected a delimiter or the end of the line after a closing quote, got more text"),
        ('1, "open', "expected a closing quote, got none"),
    ],
)
@pytest.mark.parametrize("after", ["2,good\n", '2,"good"\n3,"also ""good"""\n'])
def test_stray_quote_costs_its_own_line_only(tmp_path: Path, broken: str, reason: str, after: str) -> None:
    text = f"{HEADER}0,before\n{broken}\n{after}"
    case = run(tmp_path, text, notes())
    good = [(row, number) for row, number in case.rows("_sluice_row, id")]
    assert good == [(1, 0), *((row + 1, row) for row in range(2, 2 + after.count("\n")))]
    assert case.rejects("row_number, rule, reason, raw") == [(2, "row.quotes", reason, broken)]


def test_quote_left_open_in_the_last_line_loses_nothing(tmp_path: Path) -> None:
    for number, last in enumerate(['"open', '"open\nmore\n\n', '9,"open\n', '"']):
        folder = tmp_path / str(number)
        folder.mkdir()
        case = run(folder, f'{HEADER}1,"quoted"\n{last}', notes())
        assert case.rows("id") == [(1,)]
        assert case.rejects("raw")[0] == (last.split("\n")[0],)


@pytest.mark.parametrize("ends", [("\n", "\r\n"), ("\r", "\r"), ("\r\n", "\r")])
def test_mixed_line_ends_end_records(tmp_path: Path, ends: tuple[str, str]) -> None:
    case = run(tmp_path, f"id,note{ends[0]}1,a{ends[1]}2,b{ends[0]}3,c", notes())
    assert case.rows("_sluice_row, note") == [(1, "a"), (2, "b"), (3, "c")]


def test_empty_lines_are_no_records(tmp_path: Path) -> None:
    case = run(tmp_path, f"\n{HEADER}\n1,a\n\n\n2,b\n\n", notes())
    assert case.rows("_sluice_row, id") == [(1, 1), (2, 2)]
    assert case.load.rows_read == 2


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("id\tnote\n1\ta,b\n", {"delimiter": "\t"}),
        ("id;note\n1;'a,b'\n", {"delimiter": ";", "quote": "'", "escape": "'"}),
        ("id||note\n1||a,b\n", {"delimiter": "||"}),
        ('id||note\n1||"a,b"\n', {"delimiter": "||"}),
        ('id,note\n1,"a\\,b"\n', {"escape": "\\"}),
        ("id|note\n1|a,b\n", {"delimiter": "|", "quote": "", "escape": ""}),
        ('export of today\n\nid,note\n1,"a,b"\n', {"skip_lines": 2}),
        ('it is 5" long\nid,note\n1,"a,b"\n', {"skip_lines": 1}),
        ('1,"a,b"\n', {"header": False}),
    ],
)
def test_dialect_is_what_the_contract_says(tmp_path: Path, text: str, reading: dict[str, Any]) -> None:
    assert run(tmp_path, text, notes(**reading)).rows("_sluice_row, id, note") == [(1, 1, "a,b")]


@pytest.mark.parametrize(
    "dialect", [{"delimiter": "||"}, {"escape": "\\"}, {"delimiter": "||", "quote": "'", "escape": "^"}]
)
def test_stray_quotes_in_odd_dialects_cost_their_own_line(tmp_path: Path, dialect: dict[str, str]) -> None:
    d, q = dialect.get("delimiter", ","), dialect.get("quote", '"')
    text = f"id{d}note\n1{d}{q}a{q}b\n2{d}{q}open\n3{d}{q}fine\nhere{q}\n4{d}{q}never\n"
    case = run(tmp_path, text, notes(**dialect))
    assert case.rows("id, note") == [(3, "fine\nhere")]
    assert case.load.rows_rejected == 3


@pytest.mark.parametrize(
    ("encoding", "bom"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16", b""),  # Python writes a byte order mark
        ("utf-16-le", b""),
        ("utf-16-be", b"\xfe\xff"),
        ("latin-1", b""),
        ("windows-1252", b""),
    ],
)
@pytest.mark.parametrize("ascii_before", [0, (1 << 20) - 20, (1 << 20) - 19])
def test_encodings_are_read_across_block_borders(tmp_path: Path, encoding: str, bom: bytes, ascii_before: int) -> None:
    body = f'{HEADER}1,"' + "x" * ascii_before + 'é"\n2,Ünï\n'
    case = run(tmp_path, bom + body.encode(encoding), notes(encoding=encoding))
    assert case.rows("id, note[-1], note[:1]") == [(1, "é", "x" if ascii_before else "é"), (2, "ï", "Ü")]


@pytest.mark.parametrize(
    ("content", "encoding", "offset"),
    [
        (b"id,note\n1,caf\xe9\n", "utf-8", 13),
        (b"id,note\n1,caf\xc3", "utf-8", 13),
        (b"id,note\n1,\x81\n", "windows-1252", 10),
        (b"a" * (1 << 20) + b"\xff", "utf-8", 1 << 20),
        (b"\xff\xfea\x00\x00", "utf-16", 4),
    ],
)
def test_wrong_encoding_refuses_the_object_and_names_the_byte(
    tmp_path: Path, content: bytes, encoding: str, offset: int
) -> None:
    case = run(tmp_path, content, notes(encoding=encoding))
    assert case.load.refused == f"file.encoding: expected {encoding}, got a byte at offset {offset} that is not"


def packed(kind: str, data: bytes) -> bytes:
    match kind:
        case "gz":
            return gzip.compress(data)
        case "zst":
            return zstandard.compress(data)
        case "bz2":
            return bz2.compress(data)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some/inner name.csv", data)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["gz", "zst", "bz2", "zip"])
def test_compression_is_told_by_the_keys_suffix(tmp_path: Path, kind: str) -> None:
    case = run(tmp_path, {f"things/a.csv.{kind.upper()}": packed(kind, b"id,note\n1,a\n")}, notes())
    assert case.rows("id, note") == [(1, "a")]


@pytest.mark.parametrize("kind", ["gz", "zst", "bz2", "zip"])
def test_truncated_archive_refuses_the_object(tmp_path: Path, kind: str) -> None:
    noise = random.Random(1).randbytes(40_000).hex()
    data = packed(kind, f"id,note\n1,{noise}\n".encode())
    case = run(tmp_path, {f"things/a.{kind}": data[: len(data) // 2], "things/b": HEADER + "1,a\n"}, notes())
    bad, good = case.outcome.loads
    assert bad.refused is not None
    assert bad.refused.startswith("file.compression: expected ")
    assert good.rows_accepted == 1


@pytest.mark.parametrize("kind", ["gz", "zst", "bz2", "zip"])
def test_text_that_claims_to_be_compressed_is_refused(tmp_path: Path, kind: str) -> None:
    case = run(tmp_path, {f"things/a.{kind}": b"id,note\n1,a\n"}, notes())
    assert case.load.refused is not None
    assert case.load.refused.startswith("file.compression: ")


def test_zip_with_two_members_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "id,note\n")
        archive.writestr("b.csv", "id,note\n")
    case = run(tmp_path, {"things/a.zip": buffer.getvalue()}, notes())
    assert case.load.refused == "file.compression: expected a zip with one member, got 2"


def test_second_gzip_member_is_read_too(tmp_path: Path) -> None:
    data = gzip.compress(b"id,note\n1,a\n") + gzip.compress(b"2,b\n")
    assert run(tmp_path, {"things/a.gz": data}, notes()).rows("id") == [(1,), (2,)]


def test_second_zstd_frame_is_read_too(tmp_path: Path) -> None:
    data = zstandard.compress(b"id,note\n1,a\n") + zstandard.compress(b"2,b\n")
    assert run(tmp_path, {"things/a.zst": data}, notes()).rows("id") == [(1,), (2,)]


@pytest.mark.parametrize("kind", ["gz", "zst", "bz2", "zip"])
@pytest.mark.parametrize("unit", ["9,a\n", "x"])
def test_bomb_is_refused_soon(tmp_path: Path, kind: str, unit: str) -> None:
    data = packed(kind, HEADER.encode() + unit.encode() * (24_000_000 // len(unit)))
    begun = time.process_time()
    case = run(tmp_path, {f"things/a.{kind}": data}, notes())
    assert time.process_time() - begun < 10
    assert case.load.refused == "file.limit: decompresses to more than 200 times its size"


def test_bytes_beyond_the_limit_refuse_the_object(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER + "1,a\n" * 100, notes(), limits=Limits(max_bytes=100))
    assert case.load.refused == "file.limit: more than 100 bytes"


def test_huge_field_refuses_the_object(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER + "1," + "x" * 3_000_000 + "\n", notes(), limits=Limits(max_field_bytes=2_000_000))
    assert case.load.refused == "file.limit: a line of more than 2000000 characters"


def test_long_field_within_the_limit_is_read(tmp_path: Path) -> None:
    case = run(tmp_path, f'{HEADER}1,{"x" * 3_000_000}\n2,"{"y," * 1_500_000}"\n', notes())
    assert case.rows("id, length(note)") == [(1, 3_000_000), (2, 3_000_000)]


def test_thousands_of_columns_are_read_or_refused_by_the_limit(tmp_path: Path) -> None:
    names = ["id", "note", *(f"c{n}" for n in range(2_000))]
    text = ",".join(names) + "\n" + ",".join(["1"] * len(names)) + "\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    case = run(tmp_path / "a", text, notes(unknown_columns="ignore"))
    assert case.rows("id, note") == [(1, "1")]
    case = run(tmp_path / "b", text, notes(unknown_columns="ignore"), limits=Limits(max_columns=1_000))
    assert case.load.refused == "file.limit: more than 1000 columns"


def test_something_that_is_no_csv_is_refused_or_rejected_but_not_lost(tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(10_000)
    case = run(tmp_path, {"things/png": b"\x89PNG\r\n\x1a\n" + noise, "things/html": "<html>\n<body>\n"}, notes())
    assert all(load.refused for load in case.outcome.loads)


def json_things(**reading: Any) -> Plan:
    return plan(reading=Reading(**{"format": "json", "missing_columns": "null", **reading}), rules=())


def test_json_lines_keep_the_digits_of_numbers(tmp_path: Path) -> None:
    text = """{"id": 1, "amount": 1.50, "day": "2024-01-02", "note": "a\\nb"}

    {"id": 2, "note": null}
    {"id":3,"amount":1e1}"""
    case = run(tmp_path, text, json_things())
    assert case.rows() == [(1, dt.date(2024, 1, 2), Decimal("1.50"), "a\nb"), (2, None, None, None)]
    assert case.rejects('row_number, "column", rule, "value"') == [(3, "amount", "type", "1e1")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{'id': 2}", "expected a JSON object, got text that is no JSON"),
        ('{"id": 2', "expected a JSON object, got text that is no JSON"),
        ('{"id": NaN}', "expected a JSON object, got text that is no JSON"),
        ('{"id": 2, "id": 3}', "expected a JSON object, got text that is no JSON"),
        ("[" * 100_000, "expected a JSON object, got text that is no JSON"),
        ("5", "expected a JSON object, got a number"),
        ("null", "expected a JSON object, got null"),
        ('{"id": 2, "more": 1}', "expected the members of the contract, got 'more', too"),
    ],
)
def test_json_line_of_another_shape_is_a_reject(tmp_path: Path, line: str, reason: str) -> None:
    case = run(tmp_path, f'{{"id": 1}}\n{line}\n{{"id": 3}}\n', json_things())
    assert case.rows("_sluice_row, id") == [(1, 1), (3, 3)]
    assert case.rejects("row_number, rule, reason, raw") == [(2, "row.json", reason, line)]


def test_nested_json_is_kept_as_json(tmp_path: Path) -> None:
    case = run(tmp_path, '{"id": 1, "note": {"a": [1.10, "x", null, true]}}\n', json_things())
    assert case.rows("note") == [('{"a":[1.10,"x",null,true]}',)]


@pytest.mark.parametrize("count", [0, 1, 3, 60_000])
def test_json_array_is_read_element_by_element(tmp_path: Path, count: int) -> None:
    text = "\n[" + ", \n".join(json.dumps({"id": n, "note": f"n{n} ]"}) for n in range(count)) + "] \n"
    case = run(tmp_path, text, json_things())
    assert case.load.rows_accepted == count
    assert case.rows("_sluice_row, id, note")[-1:] == ([(count, count - 1, f"n{count - 1} ]")] if count else [])


@pytest.mark.parametrize("text", ['[{"id": 1}', '[{"id": 1},]', '[{"id": 1} {"id": 2}]', '[{"id": 1}] x', "[1"])
def test_damaged_json_array_refuses_the_object(tmp_path: Path, text: str) -> None:
    case = run(tmp_path, text, json_things())
    assert case.load.refused is not None
    assert case.load.refused.startswith("file.json: expected a JSON array, got something else after record ")


def test_parquet_values_are_read_as_the_texts_they_have(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    duckdb.sql(f"""COPY (
        SELECT * FROM (VALUES (1::BIGINT, DATE '2024-02-29', 1.50::DECIMAL(8,2), 'a'), (NULL, NULL, NULL, 'b'))
        AS t(id, day, amount, note)) TO '{path}' (FORMAT parquet)""")
    case = run(tmp_path, path.read_bytes(), plan(reading=Reading(format="parquet")))
    assert case.rows() == [(1, dt.date(2024, 2, 29), Decimal("1.50"), "a")]
    assert case.rejects('row_number, "column", rule, raw') == [
        (2, "id", "required", '{"id":null,"day":null,"amount":null,"note":"b"}')
    ]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1....PAR1", b"id,note\n1,a\n"])
def test_damaged_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    case = run(tmp_path, content, plan(reading=Reading(format="parquet")))
    assert case.load.refused is not None
    assert case.load.refused.startswith("file.format: expected a Parquet file")


def test_truncated_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    duckdb.sql(f"COPY (SELECT i AS id, i::VARCHAR AS note FROM range(5000) t(i)) TO '{path}' (FORMAT parquet)")
    whole = path.read_bytes()
    case = run(tmp_path, whole[:4000] + b"\0" * 3000 + whole[7000:], notes(format="parquet"))
    assert case.load.refused is not None
    assert case.load.refused.startswith("file.format: expected a Parquet file")


def workbook(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_first_sheet_of_a_workbook_is_read(tmp_path: Path) -> None:
    rows = [
        ["id", "day", "amount", "note"],
        [1, dt.date(2024, 2, 29), 1.5, "a"],
        [None, None, None, None],
        [2, None, 2, True],
        ["x", None, None, None],
    ]
    case = run(tmp_path, workbook(rows), plan(reading=Reading(format="xlsx")))
    assert case.rows() == [
        (1, dt.date(2024, 2, 29), Decimal("1.50"), "a"),
        (2, None, Decimal("2.00"), "true"),
    ]
    assert case.rejects('row_number, "column", rule, raw') == [(3, "id", "type", "x\t\t\t")]


def test_midnight_in_a_workbook_is_a_moment_where_the_contract_wants_one(tmp_path: Path) -> None:
    columns = (column("id", "long"), column("note", "timestamp"))
    midnight = dt.datetime.fromisoformat("2024-02-29T00:00:00")
    afternoon = midnight.replace(hour=13)
    content = workbook([["id", "note"], [1, midnight], [2, afternoon]])
    case = run(tmp_path, content, plan(columns=columns, rules=(), reading=Reading(format="xlsx")))
    assert case.rows("note") == [(midnight,), (afternoon,)]


@pytest.mark.parametrize("content", [b"", b"id,note\n", packed("zip", b"not a workbook")])
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    case = run(tmp_path, content, plan(reading=Reading(format="xlsx")))
    assert case.load.refused is not None
    assert case.load.refused.startswith("file.format: expected an xlsx workbook")
