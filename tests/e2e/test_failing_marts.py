"""Six kinds of failing mart, by the commands that a user types: what put, runs, doctor and query say of each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from typer.testing import CliRunner, Result

from sluice.cli.main import app
from sluice.local.cloud import LocalCloud

ROOT = Path(__file__).parents[2]
CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: sales
version: 1.0.0
status: active
name: sales
schema:
  - name: sales
    properties:
      - {name: id, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}
      - {name: shop, logicalType: string}
      - {name: pieces, logicalType: integer}
      - {name: sold_on, logicalType: date}
"""
MARTS = {  # mart: (header lines, SELECT, what is said of it)
    "division": ("", "SELECT id,\n  100 / pieces AS share\nFROM sales", "Division by zero"),
    "not_null": ("-- tests:\n--   - not_null: [shop]\n", "SELECT id, shop FROM sales", "not_null(shop) failed: 1 rows"),
    "repeated": ("-- keys: [shop]\n", "SELECT shop, id FROM sales WHERE shop IS NOT NULL", "unique(shop) failed"),
    "impossible": ("", "SELECT id, CAST(shop AS date) AS day FROM sales WHERE id = 1", "cannot be cast to date"),
    "overflow": ("", "SELECT id, 2147483647 + pieces AS big FROM sales", "Overflow in addition"),
    "behind": ("", "SELECT id FROM division", ""),  # reads one that was never built: it waits
}
CSV = "id,shop,pieces,sold_on\n1,a,1,2024-01-01\n2,a,0,2024-01-02\n3,,2,2024-01-03\n"


pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with one dataset and six marts, deployed offline; the working directory."""
    folder = tmp_path_factory.mktemp("failing")
    shutil.copy(ROOT / "app.py", folder / "app.py")
    (folder / "contracts").mkdir()
    (folder / "contracts" / "sales.odcs.yaml").write_text(CONTRACT)
    (folder / "marts").mkdir()
    for name, (header, select, _) in MARTS.items():
        text = f"-- Asks something.\n-- ---\n-- description: One row.\n{header}-- ---\n{select}\n"
        (folder / "marts" / f"{name}.sql").write_text(text)
    (folder / "sales.csv").write_text(CSV)
    (folder / "good.csv").write_text(CSV.replace(",0,", ",5,"))
    assembly = tmp_path_factory.mktemp("assembly")
    subprocess.run(
        [sys.executable, "app.py"],
        cwd=folder,
        env={**os.environ, "CDK_OUTDIR": str(assembly), "PYTHONPATH": str(ROOT)},
        check=True,
    )
    with LocalCloud(assembly) as cloud, mock.patch.dict(os.environ, cloud.environment()):
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


def sluice(project: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--project", str(project)])


def document(result: Result) -> dict[str, Any]:
    assert result.stdout, (result.output, result.exception)
    return dict(json.loads(result.stdout))


def test_put_waits_for_the_marts_and_says_which_failed_and_why_with_file_and_line(project: Path) -> None:
    done = sluice(project, "put", "sales", str(project / "sales.csv"), "--json")
    said = {mart["mart"]: mart for mart in document(done)["marts"]}
    assert done.exit_code == 1
    for name, (_, _, reason) in MARTS.items():
        assert reason in said[name]["reason"], said[name]
        assert said[name]["outcome"] == ("FAILED" if reason else "WAITING")
        assert said[name]["reason"].startswith(f"marts/{name}.sql") or not reason
    assert "table division holds nothing yet" in said["behind"]["reason"]

    shown = sluice(project, "runs", "not_null")
    assert "not_null(shop) failed: 1 rows" in " ".join(shown.stdout.split())
    doctor = document(sluice(project, "doctor", "--json"))
    assert not doctor["ok"]
    assert {mart["mart"] for mart in doctor["marts"] if mart["outcome"] == "FAILED"} == set(MARTS) - {"behind"}
    refused = sluice(project, "query", "SELECT * FROM not_null")
    assert "Mart not_null has not been built: its last refresh failed" in " ".join(refused.output.split())

    # A corrected delivery: what could not be built now is, and says since when its rows are good.
    again = document(sluice(project, "put", "sales", str(project / "good.csv"), "--json"))
    (project / "sales.csv").write_text(CSV.replace(",0,", ",5,"))
    again = document(sluice(project, "put", "sales", str(project / "sales.csv"), "--json"))
    states = {mart["mart"]: mart for mart in again["marts"]}
    assert states["division"]["outcome"] == states["behind"]["outcome"] == "FRESH"
    assert states["division"]["fresh"] and states["division"]["failing"] is None  # noqa: PT018
    assert states["not_null"]["outcome"] == "FAILED"
