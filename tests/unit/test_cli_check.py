"""`sluice check`: counts, JSON, exit codes and messages, with a contract and files made for the purpose."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import Result
from typer.testing import CliRunner

from sluice.cli.main import app

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: orders
name: orders
version: 1.0.0
status: active
schema:
  - name: orders
    logicalType: object
    physicalType: table
    properties:
      - name: order_id
        logicalType: integer
        required: true
        primaryKey: true
        primaryKeyPosition: 1
      - name: amount
        logicalType: number
        physicalType: decimal(10,2)
        logicalTypeOptions: {minimum: 0}
"""
GOOD = "order_id,amount\n1,9.90\n2,12.00\n"
BAD = "order_id,amount\n1,9.90\n1,1.00\n,3.00\n4,cheap\n5,-1.00\n6,7.00\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "orders.odcs.yaml").write_text(CONTRACT)
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "bad.csv").write_text(BAD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def answer(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_files_that_keep_their_contract_exit_with_0(folder: Path) -> None:
    result = run("orders", folder / "good.csv", "--json")
    assert result.exit_code == 0
    assert answer(result)["ok"] is True
    assert answer(result)["rows_accepted"] == 2


@pytest.mark.usefixtures("folder")
def test_rejected_rows_exit_with_1_and_are_counted_by_column_and_rule() -> None:
    result = run("orders", "bad.csv", "--json")
    found = answer(result)
    assert result.exit_code == 1
    assert found["ok"] is False
    assert [found[name] for name in ("rows_read", "rows_accepted", "rows_rejected", "rows_superseded")] == [6, 2, 4, 0]
    assert {(group["column"], group["rule"], group["rows"]) for group in found["rejects"]} == {
        ("order_id", "primaryKey", 1),
        ("order_id", "required", 1),
        ("amount", "type", 1),
        ("amount", "minimum", 1),
    }


@pytest.mark.usefixtures("folder")
def test_json_has_one_account_per_file_in_the_order_given() -> None:
    files = answer(run("orders", "bad.csv", "good.csv", "--json"))["files"]
    assert [(file["file"], file["rows_read"]) for file in files] == [("bad.csv", 6), ("good.csv", 2)]


@pytest.mark.usefixtures("folder")
def test_stdout_holds_one_json_object_and_progress_goes_to_stderr() -> None:
    result = run("orders", "good.csv", "--json")
    assert len(result.stdout.splitlines()) == 1
    assert "Checking 1 file" in result.stderr


@pytest.mark.usefixtures("folder")
def test_people_see_rules_with_their_counts() -> None:
    result = run("orders", "bad.csv")
    assert result.exit_code == 1
    assert "minimum" in result.stdout
    assert "{" not in result.stdout


def test_a_file_that_is_not_text_is_refused_with_a_reason(folder: Path) -> None:
    (folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    result = run("orders", "picture.csv", "--json")
    assert result.exit_code == 1
    assert answer(result)["files"][0]["refused"]
    assert answer(result)["rows_read"] == 0


def test_out_keeps_rows_and_rejects_as_parquet(folder: Path) -> None:
    run("orders", "bad.csv", "--out", "kept")
    rows = duckdb.sql(f"SELECT order_id FROM '{folder}/kept/data/**/*.parquet' ORDER BY order_id").fetchall()
    rejects = duckdb.sql(f"SELECT raw FROM '{folder}/kept/rejects/*.parquet' WHERE ordinal = 1").fetchall()
    assert rows == [(1,), (6,)]
    assert {raw for (raw,) in rejects} == {"1,1.00", ",3.00", "4,cheap", "5,-1.00"}


def test_out_never_overwrites(folder: Path) -> None:
    (folder / "kept").mkdir()
    (folder / "kept" / "mine").write_text("precious")
    result = run("orders", "good.csv", "--out", "kept", "--json")
    assert result.exit_code == 2
    assert (folder / "kept" / "mine").read_text() == "precious"


def test_a_contract_may_lie_anywhere(folder: Path) -> None:
    moved = folder / "mine.yaml"
    (folder / "contracts" / "orders.odcs.yaml").rename(moved)
    assert run("orders", "good.csv").exit_code == 2
    assert run("orders", "good.csv", "--contract", moved).exit_code == 0


def test_a_wrong_contract_exits_with_2_and_names_file_place_and_remedy(folder: Path) -> None:
    (folder / "contracts" / "orders.odcs.yaml").write_text(CONTRACT.replace("decimal(10,2)", "decimal(99,2)"))
    result = run("orders", "good.csv", "--json")
    error = answer(result)["error"]
    assert result.exit_code == 2
    assert "orders.odcs.yaml" in error["what"]
    assert "properties[1]" in error["what"]
    assert error["how"]
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", [("nothing", "good.csv"), ("orders", "absent.csv"), ("orders",), ()])
def test_wrong_arguments_exit_with_2_and_no_traceback(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    assert not result.stdout


@pytest.mark.parametrize("name", [b"\xff\xfe.csv", b"a[1].csv", b"*.csv", b"a'b.csv", b"\xc2\xa0"])
def test_a_file_may_have_any_name(folder: Path, name: bytes) -> None:
    path = folder / os.fsdecode(name)
    path.write_text(GOOD)
    result = run("orders", path, "--json")
    assert result.exit_code == 0
    assert answer(result)["rows_accepted"] == 2
