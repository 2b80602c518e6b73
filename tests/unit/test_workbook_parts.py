"""One sheet of several, and a range of a sheet: read as if nothing else were in the workbook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
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
    customProperties: [{property: sluice, value: {format: xlsx, OPTIONS}}]
    properties:
      - {name: id, logicalType: integer}
      - {name: note, logicalType: string}
"""


def checked(folder: Path, options: str, *, code: int = 0) -> tuple[dict[str, Any], list[Any]]:
    book = openpyxl.Workbook()
    book.active.title = "Cover"
    book.active.append(["nothing here", 1, 2])
    sheet = book.create_sheet("Data 2024")
    sheet.append(["title"])
    sheet.append([None, "id", "note", "more"])
    sheet.append(["x", 1, "a", "z"])
    sheet.append(["x", "b?", "b", "z"])
    sheet.append(["Total", 9, "sum", "z"])
    book.save(folder / "t.xlsx")
    (folder / "t.odcs.yaml").write_text(CONTRACT.replace("OPTIONS", options))
    arguments = ["check", "t", str(folder / "t.xlsx"), "--contract", str(folder / "t.odcs.yaml")]
    done = CliRunner().invoke(app, [*arguments, "--out", str(folder / "out"), "--json"])
    assert done.exit_code == code, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    if not answer.get("rows_accepted"):
        return answer, []
    return answer, duckdb.sql(f"SELECT id, note FROM read_parquet('{folder}/out/data/*.parquet')").fetchall()


def test_a_range_of_a_named_sheet_is_all_that_counts(tmp_path: Path) -> None:
    answer, rows = checked(tmp_path, "sheet: data 2024, cellRange: 'B2:C4'", code=1)
    assert rows == [(1, "a")]
    assert [(sample["line"], sample["value"]) for sample in answer["samples"]] == [("line 4", "b?")]


def test_an_open_range_goes_to_the_last_row(tmp_path: Path) -> None:
    _, rows = checked(tmp_path, "sheet: Data 2024, cellRange: 'b2:c'", code=1)
    assert rows == [(1, "a"), (9, "sum")]


def test_a_sheet_that_is_not_there_refuses_the_file(tmp_path: Path) -> None:
    answer, _ = checked(tmp_path, "sheet: Data 2025", code=1)
    assert "expected a workbook with the sheet 'Data 2025'" in answer["files"][0]["refused"]


@pytest.mark.parametrize("options", ["cellRange: B2", "cellRange: 'B0:C4'", "cellRange: '2:4'"])
def test_what_is_no_range_is_refused_in_the_contract(tmp_path: Path, options: str) -> None:
    answer, _ = checked(tmp_path, options, code=2)
    assert "cellRange" in answer["error"]["what"]
