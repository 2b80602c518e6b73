"""Reconcile against moto where the bucket or the ledger has lost something: versions, or the memory of whole runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pytest

from sluice.errors import StaleRunError
from sluice.lake.versions import list_key, list_keys
from tests.stage.core_world import ITEMS, REGION, World, csv
from tests.stage.moto_server import moto_server

pytestmark = pytest.mark.proof

DAY = "2024-01-10"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def forget(world: World, event: str) -> None:
    """Delete the version that an event told of, for good."""
    said = json.loads(event)["detail"]["object"]
    world.raw.delete_object(Bucket=world.settings.raw_bucket, Key=said["key"], VersionId=said["version-id"])


def ledger_items(world: World) -> list[dict[str, Any]]:
    table = boto3.resource("dynamodb", region_name=REGION).Table(world.settings.ledger_table)
    return table.scan(ConsistentRead=True)["Items"]


def restore(world: World, items: list[dict[str, Any]]) -> None:
    """The ledger as it was, the tables as they are; some time has passed."""
    table = boto3.resource("dynamodb", region_name=REGION).Table(world.settings.ledger_table)
    for item in ledger_items(world):
        table.delete_item(Key={"pk": item["pk"], "sk": item["sk"]})
    for item in items:
        table.put_item(Item=item)
    world.now += timedelta(hours=1)


def test_rows_of_an_object_deleted_for_good_leave_the_table_and_the_rejects(endpoint: str) -> None:
    world = World(endpoint)
    event = world.put("a.csv", csv((1, DAY, 1), ("x", DAY, 1)))
    world.load(event, world.put("b.csv", csv((2, DAY, 1))))
    forget(world, event)
    found = world.reconcile()
    assert (found.gone, found.versions, found.woken) == (1, 1, "items-2")
    world.run()
    assert (world.ids(), world.rejects(), world.states_of_loads()) == ([2], [], ["DONE", "RETRACTED"])
    again = world.reconcile()
    assert (again.gone, again.reopened, again.registered, again.waiting) == (0, 0, 0, 0)


def test_a_deleted_object_whose_versions_are_all_there_keeps_its_rows(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    world.delete("a.csv")
    assert world.reconcile().gone == 0
    assert world.ids() == [1]


def test_a_replace_table_goes_back_when_its_object_is_deleted_for_good(endpoint: str) -> None:
    world = World(endpoint, replace(ITEMS, mode="replace"))
    older = world.put("a.csv", csv((1, DAY, 1)))
    world.load(older)
    newer = world.put("b.csv", csv((2, DAY, 1), ("x", DAY, 1)))
    world.load(newer)
    assert (world.ids(), len(world.rejects())) == ([2], 1)
    forget(world, newer)
    assert world.reconcile().reopened == 1
    world.run()
    assert (world.ids(), world.rejects()) == ([1], [])
    assert world.reconcile().reopened == 0
    forget(world, older)
    assert world.reconcile().gone == 1
    world.run()
    assert (world.ids(), world.reconcile().gone) == ([], 0)


def test_a_restored_ledger_neither_wedges_a_dataset_nor_doubles_its_rows(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    backup = ledger_items(world)
    world.load(world.put("b.csv", csv((2, DAY, 1))))
    world.load(world.put("c.csv", csv((3, DAY, 1))))
    restore(world, backup)
    found = world.reconcile()
    assert (found.registered, found.forgotten_fence, found.woken) == (2, 3, "items-4")
    world.run()
    assert (world.ids(), world.reconcile().forgotten_fence) == ([1, 2, 3], None)
    world.load(world.put("d.csv", csv((4, DAY, 1))))
    assert world.ids() == [1, 2, 3, 4]


def with_a_forgotten_run(endpoint: str) -> tuple[World, str]:
    """A ledger restored from a backup that is one run old, and the event of the object which that run loaded."""
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    backup = ledger_items(world)
    event = world.put("b.csv", csv((2, DAY, 1)))
    world.load(event)
    restore(world, backup)
    return world, event


def test_a_run_under_a_forgotten_fence_stops_before_it_does_anything(endpoint: str) -> None:
    # Before the reconciler has looked: an event arrives, and the lease is given under a fence that was used.
    world, event = with_a_forgotten_run(endpoint)
    world.ingest(event)
    with pytest.raises(StaleRunError):
        world.claim(fence=2)
    world.settle(fence=2, outcome="failed", error="StaleRunError")
    world.run()
    assert (world.fence, world.ids(), world.states_of_loads()) == (3, [1, 2], ["DONE", "DONE"])


def test_a_run_beyond_a_forgotten_one_does_not_double_what_that_one_loaded(endpoint: str) -> None:
    # No reconciler in between: the lease under the forgotten fence ran out, and the next fence was never used.
    world, event = with_a_forgotten_run(endpoint)
    world.ingest(event)
    world.now += timedelta(seconds=world.settings.lease_seconds + 1)
    world.ingest(event)
    with pytest.raises(StaleRunError):
        world.claim(fence=3)
    world.settle(fence=3, outcome="failed", error="StaleRunError")
    world.ingest(event)  # or the reconciler comes: whoever failed before its claim wakes nobody
    world.run()
    assert (world.fence, world.ids()) == (4, [1, 2])


def test_a_run_that_claimed_and_was_forgotten_is_not_taken_for_its_successor(endpoint: str) -> None:
    # The table knows nothing of that run: only its folder does.
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    backup = ledger_items(world)
    world.ingest(world.put("b.csv", csv((2, DAY, 1))))
    world.claim()
    restore(world, backup)
    world.ingest(world.put("b.csv", csv((3, DAY, 1))))
    with pytest.raises(StaleRunError):
        world.claim(fence=2)
    world.reconcile()
    world.run()
    assert world.ids() == [1, 3]


def test_a_load_that_waits_longer_than_a_run_may_last_is_overdue(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", csv((1, DAY, 1))))
    assert world.reconcile().overdue == 0
    world.now += timedelta(seconds=world.settings.lease_seconds + 1)
    found = world.reconcile()
    assert (found.overdue, found.woken) == (1, "items-2")  # the first run's lease has ended


def test_many_keys_are_looked_up_by_few_calls(endpoint: str) -> None:
    world = World(endpoint)
    bucket, keys = world.settings.raw_bucket, [f"items/2024-{at:03}.csv" for at in range(40)]
    for key in (*keys[:30], *keys[:30], "items/2024-000.csv.old"):
        world.raw.put_object(Bucket=bucket, Key=key, Body=b"")
    calls: list[str] = []
    world.session.events.register("before-send.s3.ListObjectVersions", lambda **_: calls.append("list"))
    s3 = world.session.client("s3")
    wanted = [*keys, "items/2024-000.csv.old"]
    found = list_keys(s3, bucket=bucket, keys=wanted)
    assert len(calls) == 1
    assert found == {key: list_key(s3, bucket=bucket, key=key) for key in wanted}
    assert [len(found[key].versions) for key in (keys[0], keys[39])] == [2, 0]
