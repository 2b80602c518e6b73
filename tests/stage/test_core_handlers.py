"""The Lambda entry points, one after another as the state machine calls them: what goes in and what comes out."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sluice.errors import ContractError, TransientError
from sluice.stages.reconcile import in_turn
from sluice.stages.services import services
from tests.stage.core_world import ITEMS, REGION, World, csv
from tests.stage.moto_server import moto_server

CONTEXT = SimpleNamespace(
    function_name="stage",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:stage",
    aws_request_id="request",
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def world(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(endpoint)
    for name in ("raw_bucket", "lake_bucket", "ledger_table", "database", "state_machine"):
        monkeypatch.setenv(f"SLUICE_{name.upper()}", getattr(world.settings, name))
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "sluice")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Sluice")
    monkeypatch.setenv("AWS_REGION", REGION)
    services.cache_clear()
    yield world
    services.cache_clear()


@pytest.fixture
def call(root: Path, tmp_path: Path) -> Callable[[str, dict[str, Any]], Any]:
    """Call a handler as it stands in its asset folder, with the plans beside it."""

    def handle(stage: str, event: dict[str, Any]) -> Any:
        asset = tmp_path / stage
        if not asset.exists():
            (asset / "plans").mkdir(parents=True)
            (asset / "plans" / "items.json").write_text(ITEMS.to_json())
            shutil.copy(root / "lambdas" / stage / "handler.py", asset)
        spec = importlib.util.spec_from_file_location(f"handler_of_{stage}", asset / "handler.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.handler(json.loads(json.dumps(event)), CONTEXT)

    return handle


def test_the_handlers_take_a_file_from_its_event_to_the_table(
    world: World, call: Callable[[str, dict[str, Any]], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    body = world.put("a.csv", csv((1, "2024-01-10", 1), ("secret-cell", "2024-01-10", 1)))
    records = [{"messageId": "good", "body": body}, {"messageId": "bad", "body": "{}"}]
    assert call("ingest", {"Records": records}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    run = {"dataset": "items", "fence": 1, "run_id": "items-1"}
    started = world.states.describe_execution(executionArn=world.execution("items-1"))
    assert json.loads(started["input"]) == run
    claimed = call("claim", run)
    assert claimed == {**run, "groups": [{"group": 0, "engine": "lambda"}], "empty": False}
    assert call("transform", {**run, "group": 0}) == {"group": 0, "loads": 1, "vanished": 0}
    assert call("publish", run) == {"changed": True}
    ended = {**run, "outcome": "published", "state_machine": world.settings.state_machine}
    assert call("settle", ended) == {"state": "PUBLISHED", "failed_groups": 0, "next_run": None}
    (found,) = call("reconcile", {})["reconciled"]
    assert (found["dataset"], found["versions"], found["registered"], found["woken"]) == ("items", 1, 0, None)
    assert (world.ids(), world.states_of_loads()) == ([1], ["DONE"])
    logged = capsys.readouterr().out
    assert '"run_id":"items-1"' in logged
    assert '"RowsRejected":[1.0]' in logged.replace(" ", "")
    assert "secret-cell" not in logged


def test_an_error_of_the_state_machine_is_remembered_with_the_run(
    world: World, call: Callable[[str, dict[str, Any]], Any]
) -> None:
    call("ingest", {"Records": [{"messageId": "m", "body": world.put("a.csv", csv((1, "2024-01-10", 1)))}]})
    run = {"dataset": "items", "fence": 1, "run_id": "items-1"}
    call("claim", run)
    error = {"Error": "States.Timeout", "Cause": "the group took too long"}
    failed = {**run, "outcome": "failed", "error": error, "state_machine": world.settings.state_machine}
    assert call("settle", failed)["state"] == "FAILED"
    assert world.ledger.run("items", 1).error == "States.Timeout: the group took too long"  # type: ignore[union-attr]


def test_a_handler_without_its_settings_says_which_one_is_missing(
    world: World, call: Callable[[str, dict[str, Any]], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_DATABASE")
    with pytest.raises(ContractError, match="SLUICE_DATABASE"):
        call("claim", {"dataset": world.plan.dataset, "fence": 1, "run_id": "items-1"})


def test_why_a_group_failed_is_remembered_with_the_run_and_its_remedy(
    world: World,
    call: Callable[[str, dict[str, Any]], Any],
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLUICE_SALT_PARAMETER", "/sluice/no-such-salt")
    hashing = replace(ITEMS, columns=tuple(replace(column, protect="hash") for column in ITEMS.columns))
    (tmp_path / "claim" / "plans").mkdir(parents=True)
    (tmp_path / "claim" / "plans" / "items.json").write_text(hashing.to_json())
    shutil.copy(root / "lambdas" / "claim" / "handler.py", tmp_path / "claim")
    call("ingest", {"Records": [{"messageId": "m", "body": world.put("a.csv", csv((1, "2024-01-10", 1)))}]})
    run = {"dataset": "items", "fence": 1, "run_id": "items-1"}
    call("claim", run)
    with pytest.raises(ContractError):  # a name that the state machine does not retry
        call("transform", {**run, "group": 0})
    call("publish", run)
    call("settle", {**run, "outcome": "published", "state_machine": world.settings.state_machine})
    record = world.ledger.run("items", 1)
    assert record is not None
    assert (record.state, record.failed_groups) == ("FAILED", 1)
    assert "SSM: /sluice/no-such-salt" in (record.error or "")
    assert "aws ssm put-parameter" in (record.error or "")


def test_a_dataset_that_cannot_be_reconciled_does_not_keep_the_others_from_it(
    world: World, call: Callable[[str, dict[str, Any]], Any], root: Path, tmp_path: Path
) -> None:
    plans = tmp_path / "reconcile" / "plans"
    plans.mkdir(parents=True)
    for name in ("aaa", "items"):
        (plans / f"{name}.json").write_text(replace(ITEMS, dataset=name).to_json())
    shutil.copy(root / "lambdas" / "reconcile" / "handler.py", plans.parent)
    table = world.session.resource("dynamodb").Table(world.settings.ledger_table)
    table.put_item(Item={"pk": "dataset#aaa", "sk": "load#damaged"})
    world.put("a.csv", csv((1, "2024-01-10", 1)))  # and no event tells of it
    with pytest.raises(TransientError, match="not reconciled: aaa"):
        call("reconcile", {"datasets": ["aaa", "items"]})
    assert world.states_of_loads() == ["PENDING"]


def test_each_turn_of_the_reconciler_begins_with_another_dataset() -> None:
    turns = [datetime(2026, 11, 1, 12, minute, tzinfo=UTC) for minute in (0, 15, 30)]
    orders = [in_turn(["a", "b", "c"], turn) for turn in turns]
    assert {order[0] for order in orders} == {"a", "b", "c"}
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
