"""Files that people really have, through the command that people type: each cell is what the file holds, or a reject.

One or more files for each kind of fault that a reader could pass on. What is right comes from the formats' own
definitions, never from what Sluice says.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import struct
import zipfile
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.kernel.outcome import Limits
from sluice.kernel.readers.second_sheet import Digests, differing_rows, same
from sluice.kernel.readers.workbook import Cell, Number

Cells = list[list[str | None]]
CONTRACT = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "t",
    "name": "t",
    "version": "1.0.0",
    "status": "active",
}


@dataclass(frozen=True)
class Answer:
    """What `sluice check` said and wrote."""

    code: int
    said: dict[str, Any] = field(repr=False)
    rows: Cells
    reasons: list[tuple[int | None, str, str]]  # row number, rule, reason

    @property
    def refused(self) -> str:
        """Why the file was refused."""
        return next((str(file["refused"]) for file in self.said.get("files", []) if file["refused"]), "")


def checked(folder: Path, content: bytes, properties: dict[str, str], *, name: str = "a.csv", **options: Any) -> Answer:
    """Run `sluice check` on one file. `properties` maps the names in the file to types, such as `decimal(9,2)`."""
    columns = [
        {"name": f"c{at}", "physicalName": source, **_typed(kind)}
        for at, (source, kind) in enumerate(properties.items())
    ]
    for column in columns:
        if column["physicalName"] == options.get("extraColumn"):
            column["name"] = column.pop("physicalName")
    custom = [{"property": "sluice", "value": options}] if options else []
    contract = {**CONTRACT, "schema": [{"name": "t", "customProperties": custom, "properties": columns}]}
    folder.mkdir(exist_ok=True)
    (folder / "t.odcs.yaml").write_text(yaml.safe_dump(contract, allow_unicode=True), encoding="utf-8")
    (folder / name).write_bytes(content)
    words = ["check", "t", folder / name, "--contract", folder / "t.odcs.yaml", "--out", folder / "out", "--json"]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    said = json.loads(result.stdout.strip().splitlines()[-1])
    names = [str(column["name"]) for column in columns]
    return Answer(result.exit_code, said, _rows(folder / "out", names), _reasons(folder / "out"))


def _typed(kind: str) -> dict[str, Any]:
    kind, _, form = kind.partition(" as ")
    family = kind.partition("(")[0]
    logical = {"bigint": "integer", "decimal": "number", "double": "number"}.get(family, kind)
    physical = {"physicalType": kind} if logical in {"integer", "number"} else {}
    return {"logicalType": logical, **physical, **({"logicalTypeOptions": {"format": form}} if form else {})}


def _rows(out: Path, names: list[str]) -> Cells:
    files = sorted(map(str, out.glob("data/**/*.parquet")))
    if not files:
        return []
    listed = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in names)
    query = f"SELECT {listed} FROM read_parquet($1, hive_partitioning = false) ORDER BY _sluice_row"
    return [list(row) for row in duckdb.execute(query, [files]).fetchall()]


def _reasons(out: Path) -> list[tuple[int | None, str, str]]:
    files = sorted(map(str, out.glob("rejects/**/*.parquet")))
    if not files:
        return []
    query = (
        "SELECT row_number, rule, reason FROM read_parquet($1, hive_partitioning = false) ORDER BY row_number, ordinal"
    )
    return duckdb.execute(query, [files]).fetchall()


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


@pytest.mark.parametrize("name", ["_sluice_row", "_sluice_cell_0", "_SLUICE_FAULT", "_sluice_given_0", "^_sluice_row"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_column_of_the_file_may_have_any_name(tmp_path: Path, name: str, form: str) -> None:
    content = lines(f"id,{name}", "1,a") if form == "csv" else lines(json.dumps({"id": 1, name: "a"}))
    found = checked(tmp_path, content, {"id": "integer", name: "string"}, name=f"a.{form}", format=form)
    assert found.rows == [["1", "a"]]


def test_names_that_differ_in_case_are_two_columns(tmp_path: Path) -> None:
    found = checked(tmp_path, lines("v,V,^V", "1,2,3"), {"v": "integer", "V": "integer", "^V": "integer"})
    assert found.rows == [["1", "2", "3"]]


def test_unknown_columns_are_taken(tmp_path: Path) -> None:
    options = {"unknownColumns": "take", "extraColumn": "extra"}
    found = checked(tmp_path, lines("id,x", "1,b"), {"id": "integer", "extra": "string"}, **options)
    assert found.rows == [["1", '{"x":"b"}']]


@pytest.mark.parametrize("text", ["0.123", "0.123.456", "00.123", "012.345", "-0.001", "+0.100"])
def test_a_number_of_the_other_locale_is_no_group_of_thousands(tmp_path: Path, text: str) -> None:
    content = lines("id|v", f"1|{text}", "2|1.234", "3|0,5")
    options = {"delimiter": "|", "thousandsSeparator": ".", "decimalSeparator": ","}
    found = checked(tmp_path / "d", content, {"id": "integer", "v": "decimal(12,3)"}, **options)
    assert (found.rows, [row for row, *_ in found.reasons]) == ([["2", "1234.000"], ["3", "0.500"]], [1])
    found = checked(tmp_path / "i", lines("id|v", f"1|{text}"), {"id": "integer", "v": "integer"}, **options)
    assert not found.rows


@pytest.mark.parametrize(
    "text", ["2024-02-29T13:00Z", "2024-02-29 13:00Z", "2024-02-29T14:00+01:00", "2024-02-29T12:00-01"]
)
def test_a_full_minute_with_an_offset_is_a_moment(tmp_path: Path, text: str) -> None:
    assert checked(tmp_path, lines("v", text), {"v": "timestamp"}).rows == [["2024-02-29 13:00:00"]]


@pytest.mark.parametrize("text", ["1e-400", "-1e-9999", "0.0001e-330", "1e400"])
def test_a_number_that_no_double_holds_is_a_reject(tmp_path: Path, text: str) -> None:
    found = checked(tmp_path, lines("id,v", f"1,{text}", "2,0e5", "3,-0.00"), {"id": "integer", "v": "double"})
    assert [row[0] for row in found.rows] == ["2", "3"]
    assert [row for row, *_ in found.reasons] == [1]


ENVELOPE = lines(json.dumps({"Records": [{"id": 1, "v": "a"}]}))


@pytest.mark.parametrize("missing", ["reject", "null"])
def test_json_of_other_members_is_refused(tmp_path: Path, missing: str) -> None:
    options = {"format": "json", "unknownColumns": "ignore", "missingColumns": missing}
    found = checked(tmp_path, ENVELOPE, {"id": "integer", "v": "string"}, name="a.json", **options)
    assert found.refused.startswith("file.columns: none of the expected columns")
    assert found.reasons[0][2].endswith("found 'Records'")


def test_a_member_that_no_object_has_is_a_missing_column(tmp_path: Path) -> None:
    content, columns = lines('{"id":1,"vv":"a"}', '{"id":2}'), {"id": "integer", "v": "string"}
    options = {"format": "json", "unknownColumns": "ignore"}
    found = checked(tmp_path / "reject", content, columns, name="a.json", **options)
    assert found.refused == "file.columns: missing 'v'"
    found = checked(tmp_path / "null", content, columns, name="a.json", missingColumns="null", **options)
    assert found.rows == [["1", None], ["2", None]]
    found = checked(tmp_path / "some", lines('{"id":1}', '{"id":2,"v":"a"}'), columns, name="a.json", **options)
    assert found.rows == [["1", None], ["2", "a"]]


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "litter", ["__MACOSX/._a.csv", ".DS_Store", "folder/Thumbs.db", "folder\\desktop.ini", "._a.csv"]
)
def test_what_file_managers_add_to_a_zip_is_no_member(tmp_path: Path, litter: str) -> None:
    content = zipped(**{litter: b"x", "folder/a.csv": lines("id,v", "1,a")})
    assert checked(tmp_path, content, {"id": "integer", "v": "string"}, name="a.zip").rows == [["1", "a"]]


def parquet(columns: dict[str, pa.Array], **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def parquet_checked(folder: Path, kind: str, values: pa.Array, **options: Any) -> Answer:
    """Check one column `v` of a Parquet file beside the row's number."""
    content = parquet({"id": pa.array(range(len(values)), pa.int64()), "v": values}, **options)
    return checked(folder, content, {"id": "bigint", "v": kind}, name="a.parquet", format="parquet")


MOMENT = dt.datetime(2024, 2, 29, 13, 0, 1)  # noqa: DTZ001
MIDNIGHT = dt.datetime(2024, 2, 29)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("kind", "values", "cells"),
    [  # a cell of None is a reject
        (
            "bigint",
            pa.array([1.0, 1e16, -0.0, 1.5, 1e30, float("nan")]),
            ["1", "10000000000000000", "0", None, None, None],
        ),
        ("bigint", pa.array([Decimal("2.00"), Decimal("2.50")], pa.decimal128(18, 2)), ["2", None]),
        ("string", pa.array([1.0, 1e16, 0.5]), ["1", "10000000000000000", "0.5"]),
        (
            "decimal(12,6)",
            pa.array([1e-5, 0.1 + 0.2, 59.970000000000006, 1e-7]),
            ["0.000010", "0.300000", "59.970000", None],
        ),
        ("decimal(18,4)", pa.array([1234567890.1234567]), [None]),
        ("decimal(9,2)", pa.array([0.1, 2.0, 0.125], pa.float32()), ["0.10", "2.00", None]),
        ("double", pa.array([1e-5, 1e16, 0.30000000000000004]), ["1e-05", "1e+16", "0.30000000000000004"]),
        ("date", pa.array([MIDNIGHT, MOMENT], pa.timestamp("ns")), ["2024-02-29", None]),
        ("date as dd/MM/yyyy", pa.array([dt.date(2024, 2, 29)]), ["2024-02-29"]),
        ("timestamp as dd/MM/yyyy", pa.array([dt.date(2024, 2, 29)]), ["2024-02-29 00:00:00"]),
        ("decimal(30,4)", pa.array([Decimal("1.5"), Decimal(-(10**30))], pa.decimal256(50, 4)), ["1.5000", None]),
        ("string", pa.array([b"Z\xc3\xbcrich", b"a\\b\t", b"\xff"], pa.binary()), ["Z\u00fcrich", "a\\b\t", None]),
        ("string", pa.array([b"ab", b"'\""], pa.binary(2)), ["ab", "'\""]),
        ("time", pa.array([45_000_000_000_001, 45_000_000_001_000], pa.time64("ns")), [None, "12:30:00.000001"]),
        ("timestamp", pa.array([1, 1000], pa.timestamp("ns")), [None, "1970-01-01 00:00:00.000001"]),
    ],
)
def test_a_typed_value_is_judged_by_what_it_is(
    tmp_path: Path, kind: str, values: pa.Array, cells: list[str | None]
) -> None:
    found = parquet_checked(tmp_path, kind, values)
    assert found.rows == [[str(at), cell] for at, cell in enumerate(cells) if cell is not None]
    assert [row for row, *_ in found.reasons] == [at + 1 for at, cell in enumerate(cells) if cell is None]


@pytest.mark.parametrize("year", [1, 1677, 1969, 2024, 2263, 9999])
def test_nanoseconds_of_an_int96_timestamp_are_not_cut(tmp_path: Path, year: int) -> None:
    whole = dt.datetime(year, 6, 1, 13, 0, 1, 123456)  # noqa: DTZ001
    content = parquet({"v": pa.array([whole, whole], pa.timestamp("us"))}, use_deprecated_int96_timestamps=True,
                      use_dictionary=False, compression="none")  # fmt: skip
    at = content.index(struct.pack("<q", 46801123456000))
    content = content[:at] + struct.pack("<q", 46801123456789) + content[at + 8 :]
    found = checked(tmp_path, content, {"v": "timestamp"}, name="a.parquet", format="parquet")
    assert (found.rows, [row for row, *_ in found.reasons]) == ([[str(whole)]], [1])


@pytest.mark.parametrize("name", ["file_row_number", "FILE_ROW_NUMBER", "_sluice_row", "filename", "V"])
@pytest.mark.parametrize("unknown", ["reject", "ignore", "take"])
def test_a_column_of_a_parquet_file_may_have_any_name(tmp_path: Path, name: str, unknown: str) -> None:
    content = parquet({"id": pa.array([7]), name: pa.array([99]), "v": pa.array(["a"])})
    columns = {"id": "integer", "v": "string"} | ({name: "integer"} if unknown == "reject" else {"extra": "string"})
    options = {"unknownColumns": unknown, "missingColumns": "null"} | (
        {"extraColumn": "extra"} if unknown == "take" else {}
    )
    found = checked(tmp_path, content, columns, name="dt=2024-01-01.parquet", format="parquet", **options)
    extra = {"reject": "99", "ignore": None, "take": f'{{"{name}":"99"}}'}[unknown]
    assert found.rows == [["7", "a", extra]]


def test_damaged_bytes_of_a_parquet_file_are_a_refused_object(tmp_path: Path) -> None:
    whole = parquet(
        {"v": pa.array([100, 200, 300])}, write_page_checksum=True, compression="none", use_dictionary=False
    )
    page, footer = whole.index(struct.pack("<q", 200)), len(whole) - 8 - struct.unpack("<i", whole[-8:-4])[0]
    for at in (4, page, footer, footer + 5, len(whole) - 5):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        found = checked(tmp_path / str(at), damaged, {"v": "bigint"}, name="a.parquet", format="parquet")
        assert found.refused.startswith("file.format"), at
        assert found.code == 1


def sheet(*rows: list[Any], formats: dict[str, str] | None = None) -> bytes:
    """A workbook as openpyxl writes it; `formats` are number formats of cells."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for place, code in (formats or {}).items():
        book.active[place].number_format = code
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def edited(content: bytes, member: str, pattern: str, written: str) -> bytes:
    """The workbook with one member changed by a regular expression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name).decode()
            new.writestr(name, re.sub(pattern, written, data, flags=re.DOTALL) if name == member else data)
    assert buffer.getvalue() != content
    return buffer.getvalue()


SHEET, STYLES = "xl/worksheets/sheet1.xml", "xl/styles.xml"


def sheet_checked(folder: Path, content: bytes, kind: str, **options: Any) -> Answer:
    return checked(folder, content, {"id": "integer", "v": kind}, name="a.xlsx", format="xlsx", **options)


@pytest.mark.parametrize("hint", ["A1:A1", "A1:B2", "A1", "A1:XFD1048576", "B2:B2"])
def test_a_wrong_dimension_hides_nothing(tmp_path: Path, hint: str) -> None:
    content = edited(sheet(["id", "v"], [1, "a"], [2, "b"]), SHEET, 'dimension ref="[^"]*"', f'dimension ref="{hint}"')
    assert sheet_checked(tmp_path, content, "string").rows == [["1", "a"], ["2", "b"]]


@pytest.mark.parametrize(
    ("member", "pattern", "written"),
    [
        (STYLES, "<fills.*</fills>", '<fills count="1"><fill/></fills>'),
        (STYLES, "<fonts.*</fonts>", "<fonts><font><sz val='big'/></font></fonts>"),
        (STYLES, "<cellStyles.*</cellStyles>", "<cellStyles><cellStyle/></cellStyles>"),
        ("docProps/core.xml", "<dcterms:created.*</dcterms:created>", "<dcterms:created>yesterday</dcterms:created>"),
        (SHEET, "<sheetViews.*</sheetViews>", "<sheetViews><sheetView zoomScale='x'/></sheetViews>"),
        (SHEET, "schemas.openxmlformats.org/spreadsheetml/2006/main", "purl.oclc.org/ooxml/spreadsheetml/main"),
    ],
)
def test_how_a_workbook_looks_decides_nothing(tmp_path: Path, member: str, pattern: str, written: str) -> None:
    content = edited(sheet(["id", "v"], [1, "a"]), member, pattern, written)
    assert sheet_checked(tmp_path, content, "string").rows == [["1", "a"]]


@pytest.mark.parametrize(
    ("kind", "digits", "code", "cell"),
    [  # a cell of None is a reject
        ("decimal(12,6)", "1.0000000000000001E-5", "General", "0.000010"),
        ("decimal(12,6)", "0.30000000000000004", "General", "0.300000"),
        ("decimal(12,6)", "0.1234567", "General", None),
        ("string", "0.30000000000000004", "General", "0.3"),
        ("bigint", "1E+16", "General", "10000000000000000"),
        ("bigint", "9007199254740993", "General", "9007199254740993"),
        ("double", "0.30000000000000004", "General", "0.30000000000000004"),
        ("string", "1.0416666666666667", "[h]:mm:ss", "25:00:00"),
        ("string", "1", "[h]:mm:ss", "24:00:00"),
        ("string", "-0.5", "[h]:mm", "-12:00:00"),
        ("time", "0.5", "h:mm", "12:00:00"),
        ("time", "1.5", "[h]:mm", None),
        ("date", "45351", "yyyy-mm-dd", "2024-02-29"),
        ("date", "45351.5", "yyyy-mm-dd", None),
        ("date as dd/MM/yyyy", "45351", 'd" day "mmm', "2024-02-29"),
        ("timestamp as dd/MM/yyyy", "45351.5", "yyyy", "2024-02-29 12:00:00"),
        ("date", "59", "yyyy-mm-dd", "1900-02-28"),
        ("date", "60", "yyyy-mm-dd", None),
        ("date", "61", "yyyy-mm-dd", "1900-03-01"),
        ("date", "-1", "yyyy-mm-dd", None),
        ("date", "2958466", "yyyy-mm-dd", None),
        ("date", "45351", "[Red]0.00", None),
        ("decimal(9,2)", "1.5", '[$-409]#,##0.00 "days"', "1.50"),
    ],
)
def test_a_number_of_a_workbook_is_what_its_format_says(
    tmp_path: Path, kind: str, digits: str, code: str, cell: str | None
) -> None:
    content = edited(sheet(["id", "v"], [1, 7777], formats={"B2": code}), SHEET, "<v>7777</v>", f"<v>{digits}</v>")
    found = sheet_checked(tmp_path, content, kind)
    assert found.rows == ([] if cell is None else [["1", cell]])
    assert len(found.reasons) == (cell is None)


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#SPILL!"])
def test_an_error_of_a_formula_is_no_text(tmp_path: Path, error: str) -> None:
    content = edited(sheet(["id", "v"], [1, 7777], [2, "#TODO"]), SHEET, '<c r="B2"[^>]*><v>7777</v>',
                     f'<c r="B2" t="e"><v>{error}</v>')  # fmt: skip
    found = sheet_checked(tmp_path / "reject", content, "string")
    assert (found.rows, [row for row, *_ in found.reasons]) == ([["2", "#TODO"]], [1])
    assert f"got '{error}'" in found.reasons[0][2]
    found = sheet_checked(tmp_path / "null", content, "string", nullTexts=["", error])
    assert found.rows == [["1", None], ["2", "#TODO"]]


@pytest.mark.parametrize("kind", ["string", "integer"])
def test_a_formula_that_nothing_has_computed_is_no_missing_value(tmp_path: Path, kind: str) -> None:
    found = sheet_checked(tmp_path, sheet(["id", "v"], [1, "=1+1"]), kind)
    assert (found.rows, [row for row, *_ in found.reasons]) == ([], [1])


def test_escaped_characters_of_a_workbook_are_characters(tmp_path: Path) -> None:
    content = sheet(["id", "v"], [1, "a_x000D_b"], [2, "_x005F_x0041_"], [3, "_x41_"], [4, "_X0041_"])
    rows = [["1", "a\rb"], ["2", "_x0041_"], ["3", "_x41_"], ["4", "_X0041_"]]
    assert sheet_checked(tmp_path, content, "string").rows == rows


def test_runs_and_inline_texts_are_texts_and_readings_are_not(tmp_path: Path) -> None:
    runs = "<is><r><t>a</t></r><r><t xml:space='preserve'> b</t></r><rPh sb='0' eb='1'><t>x</t></rPh></is>"
    content = edited(
        sheet(["id", "v"], [1, 7777]), SHEET, '<c r="B2"[^>]*><v>7777</v>', f'<c r="B2" t="inlineStr">{runs}'
    )
    assert sheet_checked(tmp_path, content, "string").rows == [["1", "a b"]]


def test_damaged_bytes_of_a_workbook_are_a_refused_object(tmp_path: Path) -> None:
    whole = sheet(["id", "v"], [1, "a"])
    for at in range(30, len(whole), len(whole) // 12):
        found = sheet_checked(tmp_path / str(at), whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :], "string")
        assert found.refused.startswith("file.") or found.rows == [["1", "a"]]


def test_a_date_may_stand_as_a_text_in_a_workbook(tmp_path: Path) -> None:
    content = edited(sheet(["id", "v"], [1, 7777]), SHEET, '<c r="B2"[^>]*><v>7777', '<c r="B2" t="d"><v>2024-02-29')
    assert sheet_checked(tmp_path, content, "date").rows == [["1", "2024-02-29"]]


@pytest.mark.parametrize("place", ["A2", "B3", "XFE2", "B"])
def test_a_cell_in_a_place_that_is_not_its_own_refuses_a_workbook(tmp_path: Path, place: str) -> None:
    content = edited(sheet(["id", "v"], [1, "a"]), SHEET, '<c r="B2"', f'<c r="{place}"')
    assert sheet_checked(tmp_path, content, "string").refused.startswith("file.format")


def test_the_second_reader_of_a_workbook_sees_each_cell_that_the_first_took_for_another(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(sheet(["id", "v"], [1, "a"], [2, 0.5], [3, True], [4, None]))
    right: list[list[Cell]] = [["id", "v"], [Number("1"), "a"], [Number("2"), Number("0.5")], [Number("3"), True],
                               [Number("4")]]  # fmt: skip
    wrong: list[Cell] = ["b", None, False, Number("0.25"), Number("1", "date")]
    for row, cell in [(0, None), *((row, cell) for row in range(1, 5) for cell in wrong)]:
        digests, found = Digests(), [list(cells) for cells in right]
        if row:
            found[row][1:] = [cell]
        for number, cells in enumerate(found, 1):
            digests.add(number, cells)
        differing = differing_rows(path, "Sheet", digests, Limits())
        unlike = [number for number, others in differing.items() if not same(found[number - 1], others)]
        assert unlike == ([row + 1] if found != right and (row, cell) != (4, None) else []), (row, cell)
