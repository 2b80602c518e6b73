"""`sluice init` on files as people send them: what nearly all rows are is drafted, and the rest is named by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sluice.cli.main import app

FAULTY = [f"{at};{at % 5 + 1};{at % 90},50;{1 + at % 28:02d}.11.2026;EUR" for at in range(1000, 1600)]
FAULTY[50] = "1050;two;1,50;01.11.2026;EUR"
FAULTY[99] = "1099;1;2,50;31.02.2026;EUR"
FAULTY[150] = "1150;1;2,50;01.11.2026;EUROO"
FAULTY[200] = "1200;1"
FAULTY[300] = FAULTY[299]
FAULTY[400] = "1400;1;1,234.50;01.11.2026;EUR"


def drafted(folder: Path, text: str | bytes, name: str = "odd.csv", *, code: int = 0) -> dict[str, Any]:
    """The answer of `init`, and under `contract` the contract that it wrote."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    out = folder / "odd.odcs.yaml"
    done = CliRunner().invoke(app, ["init", "odd", str(path), "--out", str(out), "--force", "--json"])
    assert done.exit_code == code, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    if out.exists():
        answer["text"] = out.read_text(encoding="utf-8")
        answer["contract"] = yaml.safe_load(answer["text"])["schema"][0]
        answer["options"] = answer["contract"]["customProperties"][0]["value"]
    return answer


def types(answer: dict[str, Any]) -> dict[str, str]:
    return {column["name"]: column["type"] for column in answer["columns"]}


def test_faults_in_a_few_rows_become_exceptions_by_line_and_no_types(tmp_path: Path) -> None:
    answer = drafted(tmp_path, "id;qty;price;day;currency\n" + "\n".join(FAULTY) + "\n")
    assert types(answer) == {
        "id": "int", "qty": "int", "price": "decimal(9,2)", "day": "date", "currency": "string",
    }  # fmt: skip
    assert answer["columns"][0]["key"] == 1
    assert answer["columns"][4]["values"] == ["EUR"]
    assert answer["options"]["decimalSeparator"] == ","
    said = {found["column"]: found["what"] for found in answer["exceptions"]}
    assert "line 52" in said["qty"]
    assert "line 101 '31.02.2026'" in said["day"]
    assert "line 152 'EUROO'" in said["currency"]
    assert "line 202" in said[None]
    assert "line 402 '1,234.50'" in said["price"]
    assert answer["rows_rejected"] == 5
    assert any("1 rows repeat the key" in finding for finding in answer["findings"])


@pytest.mark.parametrize(
    ("text", "kinds", "options"),
    [
        ("a;b;c\n1;2;3\n1;2\n1;2;3\n", {"a": "int", "b": "int", "c": "int"}, {"delimiter": ";"}),
        ("sep=;\nid;note\n1;a\n2;b\n", {"id": "int", "note": "string"}, {"delimiter": ";", "skipLines": 1}),
        (",name,v\n0,a,1\n1,b,2\n", {"column_1": "int", "name": "string", "v": "int"}, {}),
        ("id,note,\n1,a,\n2,b,\n", {"id": "int", "note": "string", "column_3": "string"}, {}),
        (
            ("Sales report\nGenerated 2024-03-01\n\nid,amount,when\n1,10.50,2024-02-29\n2,11.00,2024-02-28\n"
            "\nTotal,33,\n"),
            {"id": "int", "amount": "decimal(9,2)", "when": "date"},
            {"skipLines": 3, "skipFooter": 1},
        ),
        (
            "nr;umsatz;plz\n1;1.234,50;01067\n2;12,00;10115\n3;-1.000.000,99;80331\n4;0,10;20095\n",
            {"nr": "int", "umsatz": "decimal(18,2)", "plz": "string"},
            {"decimalSeparator": ",", "thousandsSeparator": "."},
        ),
        ("id,ok\n1,Y\n2,N\n3,Y\n4,Y\n", {"id": "int", "ok": "boolean"}, {}),
        ("# made by hand\nid,n\n1,a\n# checked\n2,b\n", {"id": "int", "n": "string"}, {"comment": "#"}),
        ("id; n ; v\n1; a; 2.5\n2; b; 3.5\n", {"id": "int", "n": "string", "v": "decimal(9,1)"}, {"blanks": "trim"}),
        ("land,2023,2024\nDE,5,6\nFR,7,8\n", {"land": "string", "column_2023": "int", "column_2024": "int"}, {}),
    ],
)  # fmt: skip
def test_a_file_as_people_send_it_is_drafted_and_kept(
    tmp_path: Path, text: str, kinds: dict[str, str], options: dict[str, Any]
) -> None:
    answer = drafted(tmp_path, text)
    assert types(answer) == kinds
    said = {name: value for name, value in answer["options"].items() if name not in {"mode", "nullTexts"}}
    assert options.items() <= said.items()
    check = ["check", "odd", str(tmp_path / "odd.csv"), "--contract", str(tmp_path / "odd.odcs.yaml"), "--json"]
    judged = json.loads(CliRunner().invoke(app, check).stdout)
    assert (judged["rows_rejected"], judged["rows_read"]) == (text.count("1;2\n"), answer["rows_read"])


def test_amounts_and_percents_stay_text_and_the_derived_column_of_the_comment_computes_them(tmp_path: Path) -> None:
    text = 'id,balance,pct\n1,"(1,234.50)",12.5%\n2,"2,000.00",3%\n3,€ 5.00,100%\n4,0.00,0%\n'
    answer = drafted(tmp_path, text)
    assert types(answer) == {"id": "int", "balance": "string", "pct": "string"}
    lines = answer["text"].splitlines()
    derived = [line.replace("# ", "", 1)[2:] for line in lines if "# - " in line or "#   " in line]
    contract = tmp_path / "odd.odcs.yaml"
    contract.write_text(answer["text"] + "\n".join(derived) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["check", "odd", str(tmp_path / "odd.csv"), "--contract", str(contract), "--out", str(out), "--json"]
    )
    assert done.exit_code == 0, done.output
    import duckdb  # noqa: PLC0415  (the other tests need none)

    sql = f"SELECT balance_amount, pct_share FROM read_parquet('{out}/data/**/*.parquet') ORDER BY id"
    found = [tuple(map(float, row)) for row in duckdb.sql(sql).fetchall()]
    assert found == [(-1234.5, 0.125), (2000.0, 0.03), (5.0, 1.0), (0.0, 0.0)]


def test_objects_with_a_few_odd_ones_are_drafted_as_objects(tmp_path: Path) -> None:
    rows = [{"id": at, "address": {"city": "Bonn", "zip": f"{at:05d}"}} for at in range(200)]
    rows[77]["address"] = "Hauptstr. 5, Bonn"
    rows[99]["address"] = ["Bonn", "53111"]
    answer = drafted(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "odd.jsonl")
    assert types(answer) == {"id": "int", "address": "object"}
    assert answer["rows_rejected"] == 2
    assert "line 78" in answer["exceptions"][0]["what"]
    assert "Hauptstr" not in answer["text"]  # it may be about a person


def test_a_draft_that_rejects_nearly_all_of_its_samples_says_so_and_exits_1(tmp_path: Path) -> None:
    answer = drafted(tmp_path, "a,b,c\n" + "".join(",".join("x" * (1 + at % 5)) + "\n" for at in range(40)), code=1)
    assert answer["ok"] is False
