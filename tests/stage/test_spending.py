"""What a run consumes is in its record, retries included; a spent budget lets loads wait, a raised one lets them go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.prices import STATE_TRANSITION, Usage, total
from sluice.stages.budget import spent_this_month
from sluice.stages.spending import spent_in_month, spent_in_run
from tests.stage.core_world import ITEMS, REGION, World, csv
from tests.stage.moto_server import moto_server

ROW = csv((1, "2024-01-10", 1))
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: items
version: 1.0.0
status: active
schema: [{name: items, properties: [{name: id, logicalType: integer}]}]
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def test_every_attempt_at_a_step_is_counted_also_one_that_fails(endpoint: str) -> None:
    world = World(endpoint)
    folder, meter = world.folder(1), world.services.meter()
    with suppress(ZeroDivisionError), spent_in_run(folder, meter, stage="claim", attempt="one"):
        world.ledger.lease("items")
        raise ZeroDivisionError
    with spent_in_run(folder, world.services.meter(), stage="claim", attempt="two"):
        pass
    spent = folder.spent()
    assert (spent.requests, spent.calls["dynamodb.GetItem"]) == (2, 1)
    assert spent.gb_seconds > 0


def test_what_belongs_to_no_run_is_added_up_by_month(endpoint: str) -> None:
    world = World(endpoint)
    for _ in range(2):
        with spent_in_month(
            world.ledger, world.services.meter(), name="mart", now=world.now, extra=Usage(bytes_scanned=10_000_000)
        ):
            world.ledger.lease("items")
    spent = world.ledger.spending("mart", "2026-11")
    assert (spent.requests, spent.calls, spent.bytes_scanned) == (2, {"dynamodb.GetItem": 2}, 20_000_000)
    assert world.ledger.spending("mart", "2026-10").requests == 0


def test_a_spent_budget_stops_new_runs_and_a_raised_one_lets_the_loads_go(endpoint: str) -> None:
    world = World(endpoint, replace(ITEMS, budget_usd=0.0001, budget_action="stop"))
    first = world.load(world.put("a.csv", ROW))
    assert (first.state, world.ids()) == ("PUBLISHED", [1])
    (run,) = world.ledger.runs("items")
    assert total(run.usage) >= 0.0001  # nine transitions alone

    world.ingest(world.put("b.csv", csv((2, "2024-01-10", 1))))
    refused = world.run()
    assert (refused.state, refused.next_run) == ("OVER_BUDGET", None)
    figures = {metric.name: value for metric, value in refused.figures.items()}
    assert figures["OverBudget"] == 1
    assert figures["BudgetShare"] == pytest.approx(spent_this_month(world.ledger.runs("items"), world.now) / 0.0001)
    (waiting,) = world.ledger.pending("items")
    assert (waiting.state, waiting.attempts, world.ids()) == ("PENDING", 0, [1])

    world.plan = replace(world.plan, budget_usd=1.0)
    assert world.reconcile().woken is not None
    assert (world.run().state, world.ids()) == ("PUBLISHED", [1, 2])


def test_cost_shows_every_run_and_what_belongs_to_none(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", ROW))
    world.ledger.spend("reconcile", month="2026-11", usage=Usage(requests=7))
    for name in ("raw_bucket", "lake_bucket", "ledger_table", "database"):
        monkeypatch.setenv(f"SLUICE_{name.upper()}", getattr(world.settings, name))
    monkeypatch.setenv("SLUICE_WORKGROUP", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "items.odcs.yaml").write_text(CONTRACT)

    def told(*words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["cost", *words, "--month", "2026-11", "--project", str(tmp_path), "--json"])
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.stdout))

    (run,) = told("items")["runs"]
    assert (run["run_id"], run["state"], run["usage"]["transitions"]) == ("items-1", "PUBLISHED", 9)
    assert run["dollars"] == pytest.approx(9 * STATE_TRANSITION)
    everything = told()
    bills = {bill["name"]: bill for bill in everything["bills"]}
    assert bills["items"]["dollars"] == run["dollars"]
    assert bills["reconcile"]["usage"]["requests"] == 7
    assert everything["dollars"] == pytest.approx(sum(bill["dollars"] for bill in bills.values()), abs=1e-6)
    assert CliRunner().invoke(app, ["cost", "--month", "2026-13", "--project", str(tmp_path)]).exit_code == 2
