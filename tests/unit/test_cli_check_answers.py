"""What `sluice check` answers an analyst: lines, values and reasons; and what a file is that cannot be read."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from sluice.cli.main import app

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: t
name: t
version: 1.0.0
status: active
schema:
  - name: t
    customProperties: [{property: sluice, value: {skipLines: 1, format: FORMAT}}]
    properties:
      - {name: id, logicalType: integer, required: true}
      - {name: note, logicalType: string}
      - name: iban
        logicalType: string
        logicalTypeOptions: {maxLength: 4}
"""


def checked(folder: Path, data: bytes, *, contract: str = CONTRACT, form: str = "csv", code: int = 1) -> dict[str, Any]:
    (folder / "t.odcs.yaml").write_text(contract.replace("FORMAT", form))
    (folder / "t.dat").write_bytes(data)
    arguments = ["check", "t", str(folder / "t.dat"), "--contract", str(folder / "t.odcs.yaml")]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == code, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_each_broken_rule_shows_its_first_rows_by_line_value_and_reason(tmp_path: Path) -> None:
    text = 'Report\nid,note,iban\n1,"two\nlines",DE\nx,a,DE\n\n3,b,DE123\ny,c,DE\nz,d,DE\nw,e,DE\n4,f\n'
    answer = checked(tmp_path, text.encode())
    found = [(sample["line"], sample["column"], sample["rule"], sample["value"]) for sample in answer["samples"]]
    assert found == [
        ("line 5", "id", "type", "x"),
        ("line 8", "id", "type", "y"),
        ("line 9", "id", "type", "z"),
        ("line 7", "iban", "maxLength", "DE123"),
        ("line 11", None, "row.fields", None),
    ]
    assert answer["samples"][0]["reason"] == "expected a whole number of 32 bits, got 'x'"


def test_values_of_protected_columns_are_not_shown(tmp_path: Path) -> None:
    hidden = CONTRACT + "        customProperties: [{property: sluice, value: {protect: hash}}]\n"
    answer = checked(tmp_path, b"Report\nid,note,iban\n1,a,DE123\n", contract=hidden)
    assert answer["samples"][0]["line"] == "line 3"
    assert "DE123" not in json.dumps(answer)


def test_an_unknown_column_is_named_with_its_place(tmp_path: Path) -> None:
    answer = checked(tmp_path, b"Report\nid,note,Channel,iban\n1,a,web,DE\n")
    assert "unknown column 3 'Channel'" in answer["files"][0]["refused"]


def _zip(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return made.getvalue()


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500


@pytest.mark.parametrize(
    ("data", "form", "words"),
    [
        (b"<html><table><tr><td>1</td></tr></table></html>", "xlsx", "an HTML page"),
        (b"<!DOCTYPE html>\n<html></html>", "csv", "an HTML page"),
        (b'<?xml version="1.0"?><rows><r/></rows>', "csv", "XML"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "xlsx", "a workbook with a password"),
        (OLE + "Workbook".encode("utf-16-le"), "xlsx", "an old Excel workbook (.xls)"),
        (b"%PDF-1.7\n\xe2\xe3", "csv", "a PDF document"),
        (b"\x1f\x8b\x08\x00" + b"\x99" * 40, "csv", "compressed with gzip: say `compression: gzip`"),
        (b"Obj\x01\x04\xff", "csv", "an Avro file"),
        (b"ORC\x99", "parquet", "an ORC file"),
        (_zip("[Content_Types].xml", "xl/workbook.xml"), "csv", "an Excel workbook (xlsx)"),
        (_zip("a.csv"), "csv", "a zip archive"),
        (b"\0" * 900, "csv", "nothing but zero bytes"),
        (b"id,note\n1,a\n", "parquet", "text: say `format: csv`"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n", "csv", "encrypted with PGP"),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused_by_what_it_is_also_in_the_rejects(
    tmp_path: Path, data: bytes, form: str, words: str
) -> None:
    contract = CONTRACT.replace("skipLines: 1, ", "")
    answer = checked(tmp_path, data, contract=contract, form=form)
    assert words in answer["files"][0]["refused"]
    out = tmp_path / "out"
    arguments = ["--contract", str(tmp_path / "t.odcs.yaml"), "--out", str(out)]
    CliRunner().invoke(app, ["check", "t", str(tmp_path / "t.dat"), *arguments])
    (reason,) = duckdb.sql(f"SELECT reason FROM read_parquet('{out}/rejects/*.parquet')").fetchone() or ("",)
    assert words in reason


WORDED = CONTRACT.replace("skipLines: 1, format: FORMAT", 'delimiter: ";", decimalSeparator: ","').replace(
    "      - {name: note, logicalType: string}\n",
    "      - {name: price, logicalType: number, physicalType: 'decimal(9,2)'}\n"
    "      - {name: day, logicalType: date, logicalTypeOptions: {format: dd.MM.yyyy}}\n"
    "      - {name: at, logicalType: timestamp}\n",
)  # fmt: skip


def test_a_mistake_that_people_make_is_called_by_its_name(tmp_path: Path) -> None:
    rows = ["1;1,234.50;01.02.2026;2024-02-29;a", "2;1,5;31.02.2026;2024-02-29T00:00:00;a"]
    rows += ["3;1,5;01.02.2026;2024-02-30T10:00:00;a", "4;1,x;1.2.2026;2024-02-29T10:00:00;a"]
    answer = checked(tmp_path, ("id;price;day;at;iban\n" + "\n".join(rows) + "\n").encode(), contract=WORDED)
    said = {sample["row"]: sample["reason"] for sample in answer["samples"]}
    assert said[1] == "expected a number like 1234,50; got '1,234.50' (written the English way?)"
    assert said[2] == "no such day: '31.02.2026'"
    assert said[3] == "no such day or time: '2024-02-30T10:00:00'"
    assert said[4] == "expected decimal(9,2), written like 1234,5, got '1,x'"
