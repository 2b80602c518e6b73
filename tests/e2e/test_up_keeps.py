"""`sluice up` killed in the middle of a put and started again: rows are right, whatever had been done by then."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SLUICE = str(Path(sys.executable).with_name("sluice"))
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
name: orders
schema:
  - name: orders
    properties:
      - {name: order_id, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}
      - {name: amount, logicalType: number, physicalType: "decimal(10,2)", logicalTypeOptions: {minimum: 0}}
      - {name: mail, logicalType: string, customProperties: [{property: sluice, value: {protect: hash}}]}
"""
ROWS = 500


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "orders.odcs.yaml").write_text(CONTRACT)
    for name in ("app.py", "cdk.json"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def sluice(project: Path, *words: str) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "AWS_"))}
    done = subprocess.run(
        [SLUICE, *words, "--json"], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def up(project: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    with (
        (project / "up.log").open("a") as log,
        subprocess.Popen(
            [SLUICE, "up", "--json", *options], cwd=project, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline(), (project / "up.log").read_text()
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def file(project: Path, number: int, rows: int = ROWS) -> str:
    name = f"file-{number:02}.csv"
    text = "".join(f"{number * 1000 + row},{row}.50,{row}@example.com\n" for row in range(rows))
    (project / name).write_text("order_id,amount,mail\n" + text)
    return name


def settled(project: Path, *, loads: int) -> None:
    """Wait until that many loads are settled and nothing runs."""
    deadline = time.monotonic() + 120
    while True:
        runs = sluice(project, "runs", "orders")["runs"]
        if sum(run["loads"] for run in runs) >= loads and all(run["state"] == "PUBLISHED" for run in runs):
            return
        assert time.monotonic() < deadline, runs
        time.sleep(1)


@pytest.mark.proof
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seconds", [1.0, 6.0])
def test_an_aws_killed_in_the_middle_of_a_put_goes_on_where_it_was(project: Path, seconds: float) -> None:
    with up(project):
        assert sluice(project, "put", "orders", file(project, 0))["ok"]
        old = sluice(project, "query", "SELECT mail FROM orders WHERE order_id = 7")["rows"]
    assert "Made the salt" in (project / "up.log").read_text()
    names = [file(project, number) for number in range(20)]
    with up(project) as process:
        putting = subprocess.Popen([SLUICE, "put", "orders", *names], cwd=project, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        putting.wait()
    with up(project):
        keys = sluice_keys(project)
        settled(project, loads=1 + sum(keys.values()) - 1)
        (row,) = sluice(project, "query", "SELECT count(*) AS n, count(DISTINCT order_id) AS d FROM orders")["rows"]
        assert row == {"n": len(keys) * ROWS, "d": len(keys) * ROWS}
        # The salt is the one of before: the same mail has the same hash.
        assert sluice(project, "query", "SELECT mail FROM orders WHERE order_id = 7")["rows"] == old
        assert sluice(project, "doctor", "orders")["ok"]
        assert sluice(project, "put", "orders", *names)["ok"]
        assert sluice(project, "query", "SELECT count(*) AS n FROM orders")["rows"] == [{"n": 20 * ROWS}]
        # A changed contract comes in while it runs.
        contract = project / "contracts" / "orders.odcs.yaml"
        contract.write_text(CONTRACT.replace("1.0.0", "1.1.0").replace("minimum: 0", "minimum: 1"))
        assert sluice(project, "apply")["contracts"]["orders"]["version"] == "1.1.0"
        assert not sluice(project, "put", "orders", names[0])["ok"]
        (reject,) = sluice(project, "rejects", "orders")["groups"]
        assert (reject["rule"], reject["rows"]) == ("minimum", 1)
    assert (project / "up.log").read_text().count("Made the salt") == 1
    with up(project, "--fresh"):
        assert sluice(project, "runs", "orders")["runs"] == []


def sluice_keys(project: Path) -> dict[str, int]:
    """How many versions each key of the dataset has, as its files say."""
    found: dict[str, int] = {}
    for line in (project / ".sluice" / "state" / "journal.jsonl").read_text().splitlines()[1:]:
        entry = json.loads(line)
        if entry["kind"] == "object" and "-raw-" in entry["bucket"]:
            found[entry["key"]] = found.get(entry["key"], 0) + 1
    return found
