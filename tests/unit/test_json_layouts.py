"""JSON as people send it: objects one after the other, over several lines, or inside an envelope."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.contract.plan import Reading
from sluice.kernel.framing.split import dialect_of, scan

RECORDS = [{"id": at, "note": f"a}}{{b {at}"} for at in range(1, 4)]
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: t
name: t
version: 1.0.0
status: active
schema:
  - name: t
    customProperties: [{property: sluice, value: {format: json, OPTIONS}}]
    properties:
      - {name: id, logicalType: integer}
      - {name: note, logicalType: string}
"""


def checked(folder: Path, text: str, options: str = "mode: append") -> tuple[dict[str, Any], list[Any]]:
    (folder / "t.odcs.yaml").write_text(CONTRACT.replace("OPTIONS", options))
    (folder / "t.json").write_text(text)
    out = folder / "out"
    arguments = ["check", "t", str(folder / "t.json"), "--contract", str(folder / "t.odcs.yaml"), "--out", str(out)]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    answer: dict[str, Any] = json.loads(done.stdout)
    if not answer["rows_accepted"]:
        return answer, []
    rows = duckdb.sql(f"SELECT id, note FROM read_parquet('{out}/data/*.parquet') ORDER BY _sluice_row").fetchall()
    return answer, rows


ALL = [(record["id"], record["note"]) for record in RECORDS]
ENVELOPE = json.dumps({"meta": {"n": 3, "Records": []}, "Records": RECORDS, "next": None})


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("".join(map(json.dumps, RECORDS)), "mode: append"),
        (" ".join(map(json.dumps, RECORDS)) + "\n", "mode: append"),
        ("\n".join(json.dumps(record, indent=2) for record in RECORDS), "mode: append"),
        ("\n".join(map(json.dumps, RECORDS)), "mode: append"),
        (json.dumps(RECORDS, indent=1), "mode: append"),
        (ENVELOPE, "recordPath: Records"),
        (json.dumps(json.loads(ENVELOPE), indent=2), "recordPath: Records"),
        (json.dumps({"data": {"items": RECORDS, "n": 3}}), "recordPath: data.items"),
        (json.dumps({"a.b": RECORDS}), "recordPath: [a.b]"),
        ("".join(json.dumps({"Records": [record]}) + "\n" for record in RECORDS), "recordPath: Records"),
        ("".join(json.dumps({"after": record}) + "\n" for record in RECORDS), "recordPath: after"),
    ],
)
def test_the_records_are_the_same_in_every_layout(tmp_path: Path, text: str, options: str) -> None:
    answer, rows = checked(tmp_path, text, options)
    assert rows == ALL
    assert answer["rows_rejected"] == 0


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ('{"Records": [{"id": 1}', "recordPath: Records", "expected JSON"),
        ('{"records": []}', "recordPath: Records", "expected the member 'Records' of the recordPath once"),
        ('{"Records": [], "Records": []}', "recordPath: Records", "once, got it twice"),
        ('{"id": 1, "note": "a"}{"id": 2, ', "mode: append", "expected JSON"),
    ],
)
def test_a_broken_envelope_or_stream_refuses_the_file(tmp_path: Path, text: str, options: str, words: str) -> None:
    answer, rows = checked(tmp_path, text, options)
    assert rows == []
    assert words in answer["files"][0]["refused"]


def test_a_damaged_first_line_costs_itself_alone(tmp_path: Path) -> None:
    answer, rows = checked(tmp_path, '{"id": 1} x\n{"id": 2, "note": "b"}\n{"id": 3\n')
    assert rows == [(2, "b")]
    assert answer["rows_rejected"] == 2


def test_init_finds_the_envelope(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(ENVELOPE)
    out = tmp_path / "t.odcs.yaml"
    done = CliRunner().invoke(app, ["init", "t", str(tmp_path / "t.json"), "--out", str(out), "--json"])
    assert [column["name"] for column in json.loads(done.stdout)["columns"]] == ["id", "note"]
    assert 'recordPath: ["Records"]' in out.read_text()


def test_spark_cuts_no_envelope_and_no_line_of_several_objects() -> None:
    head = b'{"id": 1}{"id": 2}\n{"id": 3}\n'
    assert dialect_of(Reading(format="json", record_path=("a",)), key="k", head=head) is None
    dialect = dialect_of(Reading(format="json"), key="k", head=head)
    assert dialect is not None
    assert scan([head], dialect=dialect, start=0, last=True).outside.doubt
