"""`sluice init`: the drafted contract is one, its evidence stands in it, and the samples keep it."""

from __future__ import annotations

import datetime as dt
import json
import re
import zlib
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from click.testing import Result
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.contract.compile import compile_plan
from sluice.contract.infer import exceptions
from sluice.contract.odcs import parse

ORDERS = "PLZ;Kauf Datum;Betrag €;Status;Mail;Menge\n" + "".join(
    f"{at:05d};{1 + at % 28:02d}.{1 + at % 12:02d}.2024;{at / 8:.2f};{'alt' if at % 3 else 'größer'};a{at}@x.de;"
    f"{'NA' if at % 50 == 0 else at % 7}\n"
    for at in range(400)
)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def answer(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_draft_finds_dialect_types_key_and_missing_values(folder: Path) -> None:
    (folder / "orders.csv").write_bytes(ORDERS.encode("windows-1252"))
    made = answer(run("init", "orders", "orders.csv", "--json"))
    assert [(column["name"], column["type"], column["format"], column["key"]) for column in made["columns"]] == [
        ("plz", "string", None, 1),
        ("kauf_datum", "date", "dd.MM.yyyy", None),
        ("betrag", "decimal(9,2)", None, None),
        ("status", "string", None, None),
        ("mail", "string", "email", None),
        ("menge", "int", None, None),
    ]
    assert made["columns"][3]["values"] == ["alt", "größer"]
    text = (folder / "contracts" / "orders.odcs.yaml").read_text(encoding="utf-8")
    assert "missing in 8 of 400 (NA 8 times)" in text
    checked = run("check", "orders", "orders.csv", "--json")
    assert (checked.exit_code, answer(checked)["rows_accepted"]) == (0, 400)


def test_a_contract_that_is_there_is_not_overwritten(folder: Path) -> None:
    (folder / "orders.csv").write_text("a,b\n1,2\n")
    assert run("init", "orders", "orders.csv").exit_code == 0
    again = run("init", "orders", "orders.csv")
    assert again.exit_code == 2
    assert "--force" in again.output
    assert run("init", "orders", "orders.csv", "--force").exit_code == 0


def test_samples_of_two_dialects_are_refused_by_name(folder: Path) -> None:
    (folder / "one.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / "two.csv").write_text("a;b\n1;2\n3;4\n")
    refused = run("init", "orders", "one.csv", "two.csv")
    assert refused.exit_code == 2
    assert "two.csv" in refused.output


def test_a_column_that_some_samples_lack_may_be_missing(folder: Path) -> None:
    (folder / "one.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / "two.csv").write_text("a,b,c\n5,6,7\n8,9,10\n")
    made = answer(run("init", "orders", "one.csv", "two.csv", "--json"))
    assert [column["required"] for column in made["columns"]] == [True, True, False]
    assert run("check", "orders", "one.csv", "two.csv").exit_code == 0


def test_a_file_of_no_text_is_refused_and_nothing_is_written(folder: Path) -> None:
    (folder / "picture.csv").write_bytes(zlib.compress(b"x" * 1000) * 50)
    refused = run("init", "orders", "picture.csv")
    assert refused.exit_code in {1, 2}
    assert not (folder / "contracts").exists()


def test_samples_without_a_row_are_no_samples(folder: Path) -> None:
    (folder / "empty.csv").write_text("a,b\n")
    refused = run("init", "orders", "empty.csv")
    assert refused.exit_code == 2
    assert "No row could be read" in refused.output
    assert not (folder / "contracts").exists()


def test_samples_whose_encodings_go_together_are_drafted_in_the_widest(folder: Path) -> None:
    (folder / "plain.csv").write_text("id,city\n1,Rom\n")
    (folder / "umlaut.csv").write_bytes("id,city\n2,Köln\n".encode("latin-1"))
    (folder / "euro.csv").write_bytes("id,city\n3,€town\n".encode("windows-1252"))
    made = answer(run("init", "cities", "plain.csv", "umlaut.csv", "euro.csv", "--json"))
    assert (made["rows_read"], made["refused"]) == (3, [])
    assert 'encoding: "windows-1252"' in (folder / "contracts" / "cities.odcs.yaml").read_text(encoding="utf-8")


def test_samples_in_encodings_that_exclude_each_other_are_refused_by_name(folder: Path) -> None:
    (folder / "new.csv").write_text("id,city\n1,Köln\n", encoding="utf-8")
    (folder / "old.csv").write_bytes("id,city\n2,Köln\n".encode("latin-1"))
    refused = run("init", "cities", "new.csv", "old.csv")
    assert refused.exit_code == 2
    assert "new.csv is written in utf-8, old.csv in windows-1252" in refused.output


def test_what_stands_in_a_comment_of_a_draft_stays_there(folder: Path) -> None:
    (folder / "odd\nschema: [].csv").write_text("id\n1\n")
    assert run("init", "odd", "odd\nschema: [].csv").exit_code == 0
    assert run("check", "odd", "odd\nschema: [].csv").exit_code == 0


_CELLS = st.sampled_from([
    *("", "NA", "0", "007", "-3", "1.50", "2e5", "true", "2024-02-29", "31/12/2024"),
    *("01/02/2024", "x", "ü", "a;b", "12:30", " "),
])  # fmt: skip


_NO_SHRINKING = [phase for phase in Phase if phase is not Phase.shrink]  # it takes minutes


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=_NO_SHRINKING,
)
@given(rows=st.lists(st.tuples(_CELLS, _CELLS, _CELLS), min_size=2, max_size=30))
def test_whatever_a_draft_rejects_of_its_samples_is_little_and_told(folder: Path, rows: list[tuple[str, ...]]) -> None:
    (folder / "any.csv").write_text("one,two,three\n" + "".join(",".join(row) + "\n" for row in rows))
    made = answer(run("init", "any", "any.csv", "--force", "--json"))
    assert made["refused"] == []
    assert made["rows_rejected"] <= 3 * exceptions(len(rows))
    assert made["rows_rejected"] == sum(int(told["what"].partition(" ")[0]) for told in made["exceptions"])


DOCUMENTS = [
    {"id": at, "Address": {"Zip": f"{at:03d}", "at": {"lat": at / 4}}, "tags": ["a"][: at % 2], "any": any_,
     "lines": [{"sku": "x", "n": at}] * (at % 3), "big": [10**19 if at == 3 else at], "none": {}}
    for at, any_ in enumerate([{"a": 1}, {"a": "x"}, [2], None], 1)
]  # fmt: skip


def test_objects_and_arrays_are_drafted_where_they_have_one_shape(folder: Path) -> None:
    (folder / "docs.jsonl").write_text("".join(json.dumps(document) + "\n" for document in DOCUMENTS))
    made = answer(run("init", "docs", "docs.jsonl", "--json"))
    assert (made["rows_read"], made["rows_rejected"]) == (4, 0)
    assert {column["name"]: column["type"] for column in made["columns"]} == {
        "id": "int", "address": "object", "tags": "array", "any": "string", "lines": "array", "big": "string",
        "none": "string",
    }  # fmt: skip
    text = (folder / "contracts" / "docs.odcs.yaml").read_text(encoding="utf-8")
    properties = {item["name"]: item for item in yaml.safe_load(text)["schema"][0]["properties"]}
    assert properties["address"]["properties"][0] == {"name": "zip", "physicalName": "Zip", "logicalType": "string"}
    assert properties["address"]["properties"][1]["properties"][0]["physicalType"] == "double"
    assert properties["lines"]["items"]["properties"][1]["logicalType"] == "integer"
    assert run("check", "docs", "docs.jsonl").exit_code == 0


def test_moments_of_a_workbook_are_timestamps_though_some_are_midnight(folder: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "at", "day"])
    for at in range(1, 6):
        day = dt.datetime.fromisoformat(f"2024-01-0{at}")
        book.active.append([at, day + dt.timedelta(hours=12 * (at % 2)), day])
    book.save(folder / "book.xlsx")
    made = answer(run("init", "book", "book.xlsx", "--json"))
    assert [column["type"] for column in made["columns"]] == ["int", "timestamp", "date"]
    assert run("check", "book", "book.xlsx").exit_code == 0


def test_what_may_be_personal_is_marked_with_a_protection_that_can_be_taken_as_it_stands(folder: Path) -> None:
    (folder / "people.csv").write_text("id,mail,birth_date,town\n1,a@x.de,1990-01-01,Rom\n2,b@x.de,1991-02-03,Bari\n")
    assert run("init", "people", "people.csv").exit_code == 0
    contract = folder / "contracts" / "people.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    assert text.count("# classification: restricted") == 2
    taken = re.sub(r"# (?=classification: restricted|customProperties: \[)", "", text)
    contract.write_text(taken, encoding="utf-8")
    assert answer(run("check", "people", "people.csv", "--json"))["rows_accepted"] == 2
    plan = compile_plan(parse(taken, file="people.odcs.yaml"))
    assert [column.protect for column in plan.columns] == ["", "hash", ""]
    assert [column.name for column in plan.omitted] == ["birth_date"]
