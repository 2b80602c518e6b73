"""Refresh against moto, with the offline Athena running what `prepare` says: pins, skips, swaps, races."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import boto3
import pyarrow as pa
import pytest
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.table import Table

from sluice.errors import ContractError, TransientError
from sluice.lake.catalog import connect
from sluice.ledger.table import Ledger
from sluice.local.athena import execute
from sluice.stages.refresh import MartContext, Prepared, order, prepare, swap
from sluice.stages.services import services
from sluice.warehouse.mart import Mart, marts_to_json
from sluice.warehouse.parse import compile_marts
from tests.stage.moto_server import BUCKET, REGION, moto_server

TABLES = {"sales": [("shop", "string"), ("amount", "int")], "shops": [("shop", "string"), ("city", "string")]}

HEADER = "-- ---\n-- description: x\n{}-- ---\n"
TOTALS = HEADER.format("-- keys: [shop]\n") + "SELECT shop, sum(amount) AS total FROM sales GROUP BY shop"
BIG = HEADER.format("-- materialized: view\n") + "SELECT shop, total FROM totals WHERE total > 10"
CITIES = HEADER.format("") + "SELECT shops.city, big.total FROM big JOIN shops ON shops.shop = big.shop"


def marts(**texts: str) -> tuple[Mart, ...]:
    return tuple(compile_marts({f"{name}.sql": text for name, text in texts.items()}, tables=TABLES))


class World:
    """A Glue database with source tables, the deployed marts, and Athena."""

    def __init__(self, endpoint: str, database: str) -> None:
        self.endpoint, self.database = endpoint, database
        session = boto3.Session(region_name=REGION)
        self.catalog: GlueCatalog = connect(session, endpoint=endpoint)
        self.s3 = session.client("s3")
        self.catalog.create_namespace(database)
        self.attempts = 0
        self.deploy(totals=TOTALS, big=BIG, cities=CITIES)

    def deploy(self, **texts: str) -> None:
        self.warehouse = MartContext(
            marts=marts(**texts),
            catalog=self.catalog,
            s3=self.s3,
            database=self.database,
            lake_bucket=BUCKET,
            sleep=lambda _: None,
        )

    def publish(self, table: str, fence: int, **columns: list[Any]) -> None:
        """The table's rows become these, as a run with this fence would make them."""
        second = ("amount", pa.int32()) if table == "sales" else ("city", pa.string())
        shape = pa.schema([("shop", pa.string()), second])
        rows = pa.table(columns, schema=shape)
        if not self.catalog.table_exists((self.database, table)):
            self.catalog.create_table((self.database, table), shape, location=f"s3://{BUCKET}/{self.database}/{table}")
        loaded = self.catalog.load_table((self.database, table))
        with loaded.transaction() as transaction:
            (transaction.overwrite if loaded.current_snapshot() else transaction.append)(rows)
            transaction.set_properties({"sluice.fence": str(fence)})

    def prepare(self, mart: str) -> Prepared:
        self.attempts += 1
        return prepare(self.warehouse, mart, attempt=str(self.attempts))

    def athena(self, sql: str) -> list[tuple[Any, ...]]:
        return list(execute(sql, database=self.database, endpoint=self.endpoint, region=REGION).rows)

    def refresh(self, mart: str) -> str:
        prepared = self.prepare(mart)
        if prepared.skip:
            return prepared.reason
        self.athena(prepared.sql)
        return swap(self.warehouse, mart, token=prepared.token)

    def rows(self, mart: str) -> list[tuple[Any, ...]]:
        return sorted(self.athena(f"SELECT * FROM {mart}"))

    def table(self, name: str) -> Table:
        return self.catalog.load_table((self.database, name))

    def names(self) -> list[str]:
        return [name for (name,) in self.athena("SHOW TABLES")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture
def world(endpoint: str, request: pytest.FixtureRequest) -> World:
    return World(endpoint, database=hashlib.sha256(request.node.name.encode()).hexdigest()[:12])


def test_a_published_table_concerns_the_marts_downstream_of_it_in_their_order(world: World) -> None:
    deployed = world.warehouse.marts
    assert order(deployed, "sales") == ["totals", "big", "cities"]
    assert order(deployed, "shops") == ["cities"]
    assert order(deployed, "elsewhere") == []
    assert order(deployed, None) == ["totals", "big", "cities"]


def test_marts_follow_their_tables_through_views_and_are_skipped_when_current(world: World) -> None:
    assert world.refresh("totals") == "table sales holds nothing yet"
    assert world.refresh("big") == "table totals holds nothing yet"
    world.publish("sales", 1, shop=["a", "a", "b"], amount=[7, 8, 9])
    world.publish("shops", 1, shop=["a", "b"], city=["Rome", "Oslo"])
    assert [world.refresh(mart) for mart in ("totals", "big", "cities")] == ["done", "done", "done"]
    assert world.rows("totals") == [("a", 15), ("b", 9)]
    assert world.rows("big") == [("a", 15)]
    assert world.rows("cities") == [("Rome", 15)]
    assert [world.refresh(mart) for mart in ("totals", "big", "cities")] == ["current", "current", "current"]
    world.publish("sales", 2, shop=["b"], amount=[50])
    assert [world.refresh(mart) for mart in ("totals", "big", "cities")] == ["done", "current", "done"]
    assert world.rows("cities") == [("Oslo", 50)]
    assert world.names() == ["big", "cities", "sales", "shops", "totals"]


def test_compaction_of_a_source_makes_no_mart_due(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    assert world.refresh("totals") == "done"
    world.publish("sales", 1, shop=["a"], amount=[1])  # another snapshot, the same fence
    assert world.refresh("totals") == "current"


def test_a_swap_is_one_snapshot_and_the_mart_can_be_read_as_it_was(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    world.refresh("totals")
    before = world.table("totals")
    world.publish("sales", 2, shop=["b"], amount=[2])
    world.refresh("totals")
    after = world.table("totals")
    assert [s.snapshot_id for s in after.snapshots()][:-1] == [s.snapshot_id for s in before.snapshots()]
    assert len(after.snapshots()) == len(before.snapshots()) + 1
    old = before.current_snapshot()
    assert old is not None
    assert world.athena(f"SELECT * FROM totals FOR VERSION AS OF {old.snapshot_id}") == [("a", 1)]


def test_a_mart_is_what_was_pinned_although_its_table_moved_on_before_the_query(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    prepared = world.prepare("totals")
    world.publish("sales", 2, shop=["a"], amount=[2])
    world.athena(prepared.sql)
    assert swap(world.warehouse, "totals", token=prepared.token) == "done"
    assert world.rows("totals") == [("a", 1)]
    assert world.refresh("totals") == "done"
    assert world.rows("totals") == [("a", 2)]


def test_an_older_refresh_never_replaces_a_newer_one(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    older = world.prepare("totals")
    world.athena(older.sql)
    world.publish("sales", 2, shop=["a"], amount=[2])
    assert world.refresh("totals") == "done"
    assert swap(world.warehouse, "totals", token=older.token) == "superseded"
    assert world.rows("totals") == [("a", 2)]
    assert world.names() == ["sales", "totals"]


def test_a_repeated_swap_changes_nothing(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    world.refresh("totals")
    world.publish("sales", 2, shop=["a"], amount=[2])
    prepared = world.prepare("totals")
    world.athena(prepared.sql)
    assert swap(world.warehouse, "totals", token=prepared.token) == "done"
    once = world.table("totals").metadata_location
    assert swap(world.warehouse, "totals", token=prepared.token) == "done"
    assert world.table("totals").metadata_location == once


def test_a_swap_whose_response_was_lost_is_found_done(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    world.refresh("totals")
    world.publish("sales", 2, shop=["a"], amount=[2])
    prepared = world.prepare("totals")
    world.athena(prepared.sql)
    lost: list[str] = []

    def lose(http_response: Any, model: Any, **_: Any) -> None:  # noqa: ARG001
        if not lost:
            lost.append(model.name)
            raise ConnectionError("response lost")

    world.catalog.glue.meta.events.register("after-call.glue.UpdateTable", lose)
    assert swap(world.warehouse, "totals", token=prepared.token) == "done"
    assert lost == ["UpdateTable"]
    assert world.rows("totals") == [("a", 2)]
    assert len(world.table("totals").snapshots()) == 2


def test_a_swap_without_its_query_is_refused_for_a_retry(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    prepared = world.prepare("totals")
    with pytest.raises(TransientError, match=r"__ctas_.* is not there"):
        swap(world.warehouse, "totals", token=prepared.token)
    with pytest.raises(TransientError, match="never prepared"):
        swap(world.warehouse, "totals", token="0123")


def test_rows_that_break_a_test_never_become_visible(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    world.refresh("totals")
    world.publish("sales", 2, shop=["a", None], amount=[5, 6])
    with pytest.raises(ContractError, match=r"not_null\(shop\) failed: 1 rows") as failure:
        world.refresh("totals")
    assert failure.value.file == "marts/totals.sql"
    assert world.rows("totals") == [("a", 1)]
    world.deploy(raw=HEADER.format("-- keys: [shop]\n") + "SELECT shop, amount FROM sales")
    world.publish("sales", 3, shop=["a", "a", "b"], amount=[1, 2, 3])
    with pytest.raises(ContractError, match=r"unique\(shop\) failed: 1 keys"):
        world.refresh("raw")
    assert world.names() == ["sales", "totals"]


@pytest.mark.parametrize(
    "select",
    [
        "SELECT sum(amount) AS total, shop FROM sales GROUP BY shop",
        "SELECT shop, count(*) AS sales, sum(amount) AS total FROM sales GROUP BY shop",
        "SELECT shop, CAST(sum(amount) AS double) AS total FROM sales GROUP BY shop",
    ],
)
def test_a_redefined_mart_takes_its_new_shape_and_goes_on_from_there(world: World, select: str) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    world.refresh("totals")
    world.deploy(totals=HEADER.format("-- keys: [shop]\n") + select)
    assert world.refresh("totals") == "done"
    assert world.athena("SELECT shop, total FROM totals") == [("a", 1)]
    world.publish("sales", 2, shop=["b"], amount=[2])
    assert world.refresh("totals") == "done"
    assert world.athena("SELECT shop, total FROM totals") == [("b", 2)]
    assert world.names() == ["sales", "totals"]


def test_a_refresh_prepared_before_a_deployment_is_superseded_by_it(world: World) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    prepared = world.prepare("totals")
    world.athena(prepared.sql)
    world.deploy(totals=TOTALS.replace("sum(amount)", "max(amount)"))
    assert swap(world.warehouse, "totals", token=prepared.token) == "superseded"
    assert world.names() == ["sales"]


def test_a_mart_that_changed_under_a_reshaping_swap_is_judged_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish("sales", 1, shop=["a"], amount=[1])
    world.refresh("totals")
    before = world.warehouse
    world.deploy(totals=HEADER.format("") + "SELECT sum(amount) AS total, shop FROM sales GROUP BY shop")
    late = world.prepare("totals")
    world.athena(late.sql)
    world.publish("sales", 2, shop=["b"], amount=[2])
    after, raced = world.warehouse, []
    update_table = world.catalog.glue.update_table

    def racing(**arguments: Any) -> Any:
        # Between judging and pointing the entry at the new table, a newer refresh of the old definition gets through.
        if arguments["TableInput"]["Name"] == "totals" and not raced:
            raced.append(1)
            world.warehouse = before
            assert world.refresh("totals") == "done"
            world.warehouse = after
        return update_table(**arguments)

    monkeypatch.setattr(world.catalog.glue, "update_table", racing)
    assert swap(world.warehouse, "totals", token=late.token) == "superseded"
    assert raced
    assert world.rows("totals") == [("b", 2)]


def test_partitions_of_the_header_are_those_of_the_mart(world: World) -> None:
    world.deploy(totals=TOTALS.replace("-- keys: [shop]\n", "-- partitioned_by: [shop]\n"))
    world.publish("sales", 1, shop=["a", "b"], amount=[1, 2])
    assert world.refresh("totals") == "done"
    world.publish("sales", 2, shop=["a", "c"], amount=[5, 6])
    assert world.refresh("totals") == "done"
    table = world.table("totals")
    assert [part.name for part in table.spec().fields] == ["shop"]
    assert sorted(task.file.partition[0] for task in table.scan().plan_files()) == ["a", "c"]
    assert replace(world.warehouse.marts[0], description="y").digest != world.warehouse.marts[0].digest


def test_the_handler_answers_its_operations_and_remembers_what_became_of_each_mart(
    world: World, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "marts").mkdir()
    (tmp_path / "marts" / "marts.json").write_text(marts_to_json(world.warehouse.marts))
    copy = tmp_path / "handler.py"
    copy.write_text((root / "lambdas" / "refresh" / "handler.py").read_text())
    settings = {
        "SLUICE_LAKE_BUCKET": BUCKET, "SLUICE_DATABASE": world.database, "SLUICE_LEDGER_TABLE": "marts-ledger",
        "POWERTOOLS_SERVICE_NAME": "refresh", "POWERTOOLS_METRICS_NAMESPACE": "Sluice/test",
    }  # fmt: skip
    services.cache_clear()
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    table = boto3.resource("dynamodb").create_table(
        TableName="marts-ledger", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    )  # fmt: skip
    context = SimpleNamespace(
        aws_request_id="1", function_name="refresh", memory_limit_in_mb=1, invoked_function_arn="arn:aws:lambda"
    )
    spec = spec_from_file_location("refresh_handler", copy)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    world.publish("sales", 1, shop=["a"], amount=[1])
    with mock.patch.dict(os.environ, settings):
        spec.loader.exec_module(module)
        detail = {"table": "shops", "dataset": "shops", "fence": 3}
        because = {"dataset": "shops", "fence": 3}
        asked = module.handler({"op": "order", "detail": detail}, context)
        assert asked == {"marts": ["cities"], "because": because}
        everything = module.handler({"op": "order", "detail": {}}, context)
        assert everything == {"marts": ["totals", "big", "cities"], "because": {}}
        prepared = module.handler({"op": "prepare", "mart": "totals"}, context)
        assert prepared["skip"] is False
        world.athena(prepared["sql"])
        swapped = module.handler({"op": "swap", "mart": "totals", "token": prepared["token"]}, context)
        assert swapped == {"mart": "totals", "verdict": "done"}
        assert module.handler({"op": "prepare", "mart": "totals"}, context)["reason"] == "current"
        cause = json.dumps({"QueryExecution": {"Status": {"StateChangeReason": "line 9:3: Division by zero"}}})
        module.handler({"op": "failed", "mart": "totals", "because": because, "error": "x", "cause": cause}, context)
        state = Ledger(table).mart("totals")
        assert state is not None
        assert (state.outcome, dict(state.seen)) == ("FAILED", {"shops": 3})
        assert state.reason == "marts/totals.sql:7: Division by zero"  # the third line of the file's SELECT
        assert state.fresh is not None
        assert state.failing == state.told
        with pytest.raises(ContractError, match="no mart 'other'"):
            module.handler({"op": "prepare", "mart": "other"}, context)
        with pytest.raises(ValueError, match="expected op"):
            module.handler({"op": "drop"}, context)
