"""`sluice preview`: a branch against its base, with rows tried on samples. Git is real, AWS is not there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.cli.preview.effect import backfill_dollars

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: order_id, logicalType: integer, primaryKey: true}
      - {name: amount, logicalType: integer, logicalTypeOptions: {minimum: 0}}
      - {name: note, logicalType: string}
"""
HEADER = "-- ---\n-- materialized: table\n-- description: A mart.\n-- keys: [%s]\n-- ---\n"
MART = HEADER % "amount" + "SELECT sum(amount) AS amount, max(note) AS note FROM orders\n"
SAMPLE = "order_id,amount,note\n1,5,a\n2,50,b\n3,-1,c\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one commit on its branch main, and a sample."""
    for name, text in {
        "contracts/orders.odcs.yaml": CONTRACT, "marts/totals.sql": MART, "samples/orders/day.csv": SAMPLE,
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words], cwd=tmp_path, check=True)
    return tmp_path


def edit(project: Path, *edits: tuple[str, str], file: str = "contracts/orders.odcs.yaml") -> None:
    path = project / file
    text = path.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def plan(project: Path, *words: str) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["preview", "--project", str(project), "--json", *words])
    return done.exit_code, json.loads(done.stdout)


def test_nothing_changed_is_said_so(project: Path) -> None:
    code, told = plan(project)
    assert (code, told["breaking"], told["datasets"], told["marts"]) == (0, False, [], [])
    shown = CliRunner().invoke(app, ["preview", "--project", str(project)])
    assert "No contract or mart differs from main" in shown.stdout


def test_a_tightened_rule_shows_the_rows_that_it_costs_and_the_marts_that_read_them(project: Path) -> None:
    edit(project, ("minimum: 0", "minimum: 10"), ("version: 1.0.0", "version: 1.1.0"))
    code, told = plan(project)
    (orders,) = told["datasets"]
    assert (code, orders["breaks_readers"], orders["needs_backfill"]) == (0, False, True)
    assert [change["kind"] for change in orders["changes"]] == ["RuleTightened"]
    assert (orders["rows"]["before"]["accepted"], orders["rows"]["after"]["accepted"]) == (2, 1)
    assert orders["rows"]["rejected"] == [{"column": "amount", "rule": "minimum", "before": 1, "after": 2}]
    assert orders["backfill_dollars"] > 0
    assert [(mart["name"], mart["how"]) for mart in told["marts"]] == [("totals", "refreshed")]


def test_a_column_that_a_mart_needs_cannot_go_unnoticed(project: Path) -> None:
    edit(project, ("      - {name: note, logicalType: string}\n", ""))
    code, told = plan(project)
    assert (code, told["breaking"]) == (1, True)
    assert [change["kind"] for change in told["datasets"][0]["changes"]] == ["DropColumn"]
    assert "note" in told["fault"]
    assert told["datasets"][0]["keeps_its_version"]
    shown = CliRunner().invoke(app, ["preview", "--project", str(project)])
    assert shown.exit_code == 1
    for words in ("column note is gone", "Raise it", "Marts do not fit", "Readers may break."):
        assert words in shown.stdout


def test_a_mart_that_loses_a_column_breaks_readers_and_a_new_one_does_not(project: Path) -> None:
    edit(project, (", max(note) AS note", ""), file="marts/totals.sql")
    (project / "marts" / "more.sql").write_text(HEADER % "order_id" + "SELECT order_id FROM orders\n")
    code, told = plan(project)
    marts = {mart["name"]: mart for mart in told["marts"]}
    assert (code, marts["more"]["how"], marts["totals"]["columns_gone"]) == (1, "new", ["note"])


def test_a_mart_that_is_gone_breaks_its_readers(project: Path) -> None:
    (project / "marts" / "totals.sql").unlink()
    code, told = plan(project)
    assert (code, [(mart["name"], mart["how"]) for mart in told["marts"]]) == (1, [("totals", "gone")])


def test_a_folder_serves_as_base_and_datasets_come_and_go(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "base"
    (other / "contracts").mkdir(parents=True)
    (other / "contracts" / "old.odcs.yaml").write_text(CONTRACT.replace("name: orders", "name: old"))
    code, told = plan(project, "--base", str(other))
    assert [(one["name"], one["version"]) for one in told["datasets"]] == [
        ("old", ["1.0.0", None]),
        ("orders", [None, "1.0.0"]),
    ]
    assert (code, told["datasets"][0]["breaks_readers"]) == (1, True)


@pytest.mark.parametrize("base", ["nowhere", "--output=x"])
def test_a_base_that_is_not_there_is_wrong_usage(project: Path, base: str) -> None:
    code, told = plan(project, f"--base={base}")
    assert (code, told["ok"]) == (2, False)
    assert "--base" in told["error"]["how"]


def test_dollars_of_a_backfill_grow_with_bytes_and_glue_takes_the_large_objects() -> None:
    assert backfill_dollars([]) == 0
    small, more, large = (backfill_dollars([size]) for size in (1 << 20, 200 << 20, 600 << 20))
    assert 0.0001 < small < more < large
    assert large > 60 * 4 * 0.44 / 3600
