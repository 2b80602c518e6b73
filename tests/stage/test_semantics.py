"""What may happen to objects while they are on their way, and what the table holds in the end: that of a rebuild."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sluice.contract.plan import Rule
from sluice.errors import StaleRunError
from tests.stage.core_world import ITEMS, MERGED, World, csv
from tests.stage.moto_server import moto_server

DAY = "2024-01-10"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def test_an_object_overwritten_between_claim_and_reading_ends_as_its_newest_version(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", csv((1, DAY, 1))))
    world.claim()
    newer = world.put("a.csv", csv((2, DAY, 2)))
    world.ingest(newer)
    assert world.transform().loads[0].rows_read == 1  # the version that was claimed, not the one that is there now
    world.publish()
    assert world.ids() == [1]
    world.settle()
    world.run()
    assert (world.ids(), world.states_of_loads()) == ([2], ["DONE", "DONE"])


def test_late_and_reordered_versions_leave_the_newest_of_the_bucket(endpoint: str) -> None:
    world = World(endpoint)
    first, second, third = (world.put("a.csv", csv((at, DAY, at))) for at in (1, 2, 3))
    world.load(third)
    world.load(second, first)
    assert (world.ids(), world.states_of_loads()) == ([3], ["DONE", "SUPERSEDED", "SUPERSEDED"])


def test_a_late_version_does_not_overwrite_a_newer_row_in_a_merge(endpoint: str) -> None:
    world = World(endpoint, replace(MERGED, sequence_by=None))
    older, newer = world.put("a.csv", csv((1, DAY, 1), (2, DAY, 1))), world.put("b.csv", csv((1, DAY, 9)))
    world.load(newer)
    world.load(older)
    assert [(row[0], row[2]) for row in world.rows()] == [(1, 9), (2, 1)]


def test_the_same_bytes_under_two_keys_are_two_objects(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))), world.put("b.csv", csv((1, DAY, 1))))
    assert world.ids() == [1, 1]
    world.load(world.put("b.csv", csv((2, DAY, 1))))
    assert world.ids() == [1, 2]


def test_a_header_only_object_replaces_what_was_there_and_an_empty_one_is_refused(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))), world.put("b.csv", csv((2, DAY, 1))))
    settled = world.load(world.put("a.csv", csv()), world.put("b.csv", ""))
    loads = {(load.key, load.state): load for load in world.ledger.loads("items") if load.run_id == "items-2"}
    assert loads["items/a.csv", "DONE"].counts.rows_read == 0
    assert (settled.state, world.ids()) == ("PUBLISHED", [2])
    empty = next(load for (key, _), load in loads.items() if key == "items/b.csv")
    assert empty.state == "REFUSED"
    assert world.reconcile().woken is None


def test_an_object_that_vanishes_before_the_claim_leaves_no_trace(endpoint: str) -> None:
    world = World(endpoint)
    event = world.put("a.csv", csv((1, DAY, 1)))
    said = json.loads(event)["detail"]["object"]
    world.raw.delete_object(Bucket=world.settings.raw_bucket, Key=said["key"], VersionId=said["version-id"])
    settled = world.load(event)
    assert (settled.state, world.states_of_loads(), world.ids()) == ("EMPTY", ["SUPERSEDED"], [])
    assert world.reconcile().woken is None


def test_a_run_keeps_the_contract_that_it_claimed_under(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", csv((1, DAY, 1), (2, DAY, 9))))
    world.claim()
    small = Rule(name="maximum", column="amount", predicate='"amount" <= 5', expected="at most 5")
    world.plan = replace(ITEMS, version="2.0.0", rules=(small,))  # a deployment
    assert world.claim().plan.version == "1.0.0"
    world.transform()
    world.publish()
    world.settle()
    world.load(world.put("b.csv", csv((3, DAY, 3), (4, DAY, 9))))
    table = world.services.catalog.load_table((world.settings.database, "items")).scan().to_arrow().to_pylist()
    assert sorted((row["id"], row["_sluice_contract"]) for row in table) == [(1, "1.0.0"), (2, "1.0.0"), (3, "2.0.0")]


def test_a_run_started_by_hand_beside_another_does_nothing(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", csv((1, DAY, 1))))
    with pytest.raises(StaleRunError):
        world.claim(fence=7)  # nobody gave it the lease
    world.claim()
    world.claim()  # the same run twice
    world.transform()
    world.transform()
    world.publish()
    world.publish()
    world.settle()
    world.settle(fence=1)
    assert (world.ids(), world.snapshots()) == ([1], 1)
