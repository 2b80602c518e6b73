"""The doctor against moto: it says nothing of a dataset that is well, and names what disagrees in one that is not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from sluice.contract.plan import Plan
from sluice.ledger.model import Settlement
from sluice.stages.doctor import Diagnosis, DoctorContext, Finding, examine
from sluice.stages.replay import replay
from tests.stage.core_world import ITEMS, MERGED, REGION, World, csv
from tests.stage.moto_server import moto_server

pytestmark = pytest.mark.proof

DAY = "2024-01-10"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def look(world: World) -> Diagnosis:
    return examine(
        world.plan,
        DoctorContext(
            s3=world.services.s3,
            catalog=world.services.catalog,
            ledger=world.ledger,
            states=world.services.states,
            state_machine=world.settings.state_machine,
            raw_bucket=world.settings.raw_bucket,
            lake_bucket=world.settings.lake_bucket,
            database=world.settings.database,
            now=world.now,
            overdue_seconds=world.settings.lease_seconds,
        ),
    )


def wrong(world: World) -> Mapping[str, Finding]:
    return {finding.check: finding for finding in look(world).findings if not finding.holds}


def repair(world: World) -> None:
    found = look(world)
    assert not found.holds
    world.reconcile()
    replay("items", found.loads, ledger=world.ledger, wake=world.wake)
    world.run()


@pytest.mark.parametrize("plan", [ITEMS, MERGED, replace(ITEMS, mode="replace"), replace(ITEMS, on_delete="retract")])
def test_a_dataset_that_is_well_is_told_so_whatever_it_has_been_through(endpoint: str, plan: Plan) -> None:
    world = World(endpoint, plan)
    assert look(world).holds  # before anything was loaded
    world.load(world.put("a.csv", csv((1, DAY, 1), ("x", DAY, 1))), world.put("b.csv", csv((2, DAY, 1))))
    world.load(world.put("a.csv", csv((3, DAY, 1))), world.put("c.csv", "nothing\n"))
    world.load(world.delete("b.csv"))
    assert wrong(world) == {}


def test_versions_without_a_load_and_loads_without_a_run_are_found(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    world.put("lost.csv", csv((2, DAY, 1)))
    (found,) = wrong(world).values()
    assert found.check == "every version that counts has a load"
    assert found.samples[0].startswith("items/lost.csv ")
    repair(world)
    assert (wrong(world), world.ids()) == ({}, [1, 2])
    world.ingest(world.put("waits.csv", csv((3, DAY, 1))))
    assert wrong(world) == {}  # under way is not wrong
    world.now += timedelta(seconds=world.settings.lease_seconds + 1)
    assert list(wrong(world)) == ["no load has waited for longer than a run lasts"]
    world.states.stop_execution(executionArn=world.execution(f"items-{world.fence}"))
    assert "whoever holds the lease is alive" in wrong(world)


def test_a_parked_load_is_named_with_its_reason(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", csv((1, DAY, 1))))
    (load,) = world.ledger.attempt(world.ledger.pending("items"), run_id="items-1")
    parked = replace(load, state="PARKED", reason="5 runs with it failed")
    world.ledger.settle([Settlement(load=parked)], fence=1)
    assert wrong(world)["no load was given up"].samples == ("items/a.csv: 5 runs with it failed",)


def test_rows_of_a_version_that_does_not_count_are_found_and_repaired(endpoint: str) -> None:
    world = World(endpoint)
    first = world.put("a.csv", csv((1, DAY, 1)))
    world.load(first, world.put("b.csv", csv((2, DAY, 1))))
    (done,) = [load for load in world.ledger.loads("items") if load.key == "items/a.csv"]
    # Somebody tells the ledger that the second version is in the table, and it is not.
    second = json.loads(world.put("a.csv", csv((3, DAY, 1))))["detail"]["object"]["version-id"]
    world.ingest(world.event("items/a.csv", second))
    (load,) = world.ledger.attempt(world.ledger.pending("items"), run_id=f"items-{world.fence}")
    world.ledger.settle([Settlement(load=replace(load, state="DONE", counts=done.counts), order="z")], fence=9)
    world.ledger.release("items", run_id=f"items-{world.fence}")
    found = wrong(world)
    assert found["every row comes from a version that counts"].count == 1
    assert found["rows and rejects are what the accounts of their loads say"].count == 1
    repair(world)
    assert (wrong(world), world.ids()) == ({}, [2, 3])


def test_a_ledger_that_has_forgotten_runs_is_found(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    table = boto3.resource("dynamodb", region_name=REGION).Table(world.settings.ledger_table)
    for item in table.scan()["Items"]:
        table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    assert wrong(world)["the ledger knows of every run that the tables know of"].samples == (
        "fence 1 in the tables, 0 in the ledger",
    )
    world.now += timedelta(hours=1)
    repair(world)
    assert (wrong(world), world.ids()) == ({}, [1])


def test_a_table_whose_files_are_gone_is_said_to_be_unreadable(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    table = world.services.catalog.load_table((world.settings.database, "items"))
    (task,) = table.scan().plan_files()
    key = task.file.file_path.partition(f"{world.settings.lake_bucket}/")[2]
    world.raw.delete_object(Bucket=world.settings.lake_bucket, Key=key)
    found: Any = wrong(world)["items can be read"]
    assert (found.count, found.samples) == (1, (task.file.file_path,))
    world.raw.put_object(Bucket=world.settings.lake_bucket, Key="tables/items/data/items-1/stray.parquet", Body=b"x")
    notes = {finding.check: finding.count for finding in look(world).findings if finding.count and finding.holds}
    assert notes == {"items has no files that nobody names": 1}
