"""Publish against moto: tables show what the bucket holds, once, in each mode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pyiceberg.io import InputFile

from sluice.contract.plan import PROVENANCE, Rule
from sluice.errors import ContractError, StaleRunError
from sluice.kernel.outcome import LoadSummary, RejectCount
from sluice.lake.pruning import holding
from sluice.lake.tables import ensure
from sluice.stages.holding import held_back
from tests.stage.core_world import ITEMS, MERGED, Crash, World, csv, faults
from tests.stage.moto_server import moto_server
from tests.unit.contract_case import compiled

JANUARY, FEBRUARY = "2024-01-10", "2024-02-10"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def test_a_file_becomes_rows_with_their_provenance(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 5), (2, FEBRUARY, 6))))
    assert world.ids() == [1, 2]
    table = world.services.catalog.load_table((world.settings.database, "items"))
    row = next(row for row in table.scan().to_arrow().to_pylist() if row["id"] == 2)
    assert (row["_sluice_object"], row["_sluice_row"], row["_sluice_run"]) == ("items/a.csv", 2, "items-1")
    assert len(list(table.scan(row_filter="day >= '2024-02-01'").plan_files())) == 1


def test_publishing_twice_does_not_double_rows(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", csv((1, JANUARY, 5), ("x", JANUARY, 6))))
    world.claim()
    world.transform()
    first = world.publish()
    world.services.s3.delete_object(  # as if the first publish had died just before its last call
        Bucket=world.settings.lake_bucket, Key=f"{world.folder(1).prefix}/published.json"
    )
    again = world.publish()
    assert (world.ids(), len(world.rejects()), world.snapshots()) == ([1], 1, 1)
    assert again.snapshots == first.snapshots


def test_an_overwritten_object_replaces_its_own_rows_only(endpoint: str) -> None:
    world = World(endpoint)
    world.load(
        world.put("a.csv", csv((1, JANUARY, 1), (2, FEBRUARY, 1))),
        world.put("b.csv", csv((3, JANUARY, 1), (4, FEBRUARY, 1))),
    )
    world.load(world.put("a.csv", csv((1, JANUARY, 2), (9, FEBRUARY, 2))))
    assert [(id_, amount) for id_, _, amount in world.rows()] == [(1, 2), (3, 1), (4, 1), (9, 2)]


def test_bounds_tell_which_files_hold_an_object_without_opening_any(endpoint: str) -> None:
    world = World(endpoint)
    names = [f"a-long-folder-that-all-of-them-share/{at}.csv" for at in range(3)]
    for at, name in enumerate(names):
        world.load(world.put(name, csv((at, JANUARY, 1))))
    table = world.services.catalog.load_table((world.settings.database, "items"))
    opened: list[str] = []
    new_input = table.io.new_input

    def noted(location: str) -> InputFile:
        opened.append(location)
        return new_input(location)

    table.io.new_input = noted  # type: ignore[method-assign]
    found = holding(table, column="_sluice_object", values=[f"items/{names[1]}", "items/unknown.csv"])
    assert (len(found.whole), found.partly) == (1, ())
    assert "/data/items-2/" in found.whole[0].file_path
    assert not [location for location in opened if "/data/" in location]


def test_rejects_follow_the_version_that_counts(endpoint: str) -> None:
    world = World(endpoint)
    world.load(
        world.put("a.csv", csv(("x", JANUARY, 1), ("y", JANUARY, 1))), world.put("b.csv", csv(("z", JANUARY, 1)))
    )
    assert [row["value"] for row in world.rejects()] == ["x", "y", "z"]
    world.load(world.put("a.csv", csv((1, JANUARY, 1), ("w", JANUARY, 1))))
    assert [(row["object"], row["value"]) for row in world.rejects()] == [("items/a.csv", "w"), ("items/b.csv", "z")]


def test_a_deleted_object_keeps_or_loses_its_rows_as_the_contract_says(endpoint: str) -> None:
    keeping, retracting = World(endpoint), World(endpoint, replace(ITEMS, on_delete="retract"))
    for world in (keeping, retracting):
        world.load(
            world.put("a.csv", csv((1, JANUARY, 1), ("x", JANUARY, 1))), world.put("b.csv", csv((2, JANUARY, 1)))
        )
        world.load(world.delete("a.csv"))
    assert (keeping.ids(), len(keeping.rejects())) == ([1, 2], 1)
    assert (retracting.ids(), len(retracting.rejects())) == ([2], 0)
    assert retracting.states_of_loads() == ["DONE", "DONE", "RETRACTED"]


def test_a_run_without_rows_still_raises_the_fence(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", csv((1, JANUARY, 1))))
    world.claim()
    world.transform()
    # The run's lease runs out, and the next run finds a version of the object that has no rows.
    world.now = world.now.replace(hour=23)
    world.ingest(world.put("a.csv", csv()))
    world.run()
    assert (world.ids(), world.fence) == ([], 2)
    with pytest.raises(StaleRunError):
        world.publish(fence=1)
    assert world.ids() == []
    assert world.rejects() == []


def test_a_stale_run_is_refused_before_and_while_it_publishes(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", csv((1, JANUARY, 1))))
    world.claim()
    world.transform()
    world.now = world.now.replace(hour=23)
    world.ingest(world.put("b.csv", csv((2, JANUARY, 1))))
    rewritten = world.services.catalog.commit_table
    newer = World.__new__(World)
    newer.__dict__.update(world.__dict__)
    newer.restart()

    def overtaken(*args: object) -> object:
        world.services.catalog.commit_table = rewritten  # type: ignore[method-assign]
        newer.run()
        return rewritten(*args)  # type: ignore[arg-type]

    world.services.catalog.commit_table = overtaken  # type: ignore[method-assign, assignment]
    with pytest.raises(StaleRunError):
        world.publish(fence=1)
    assert world.ids() == [1, 2]  # of the newer run, which had both loads
    assert len(world.rejects()) == 0


def test_a_late_arrival_does_not_overwrite_a_newer_row(endpoint: str) -> None:
    world = World(endpoint, MERGED)
    world.load(world.put("new.csv", csv((1, JANUARY, 20), (2, JANUARY, 20))))
    world.load(world.put("late.csv", csv((1, FEBRUARY, 10), (2, FEBRUARY, 30), (3, JANUARY, 10))))
    assert [(id_, amount) for id_, _, amount in world.rows()] == [(1, 20), (2, 30), (3, 10)]


def test_objects_of_one_batch_are_merged_among_themselves(endpoint: str) -> None:
    world = World(endpoint, MERGED, group_max_objects=1)
    world.load(
        world.put("a.csv", csv((1, JANUARY, 1), (2, JANUARY, 9))),
        world.put("b.csv", csv((1, JANUARY, 2), (2, JANUARY, 3))),
    )
    assert len(world.folder(1).must_claim().groups) == 2
    assert [(id_, amount) for id_, _, amount in world.rows()] == [(1, 2), (2, 9)]


def test_merging_the_same_load_again_changes_no_row_and_no_reject(endpoint: str) -> None:
    world = World(endpoint, MERGED)
    world.load(world.put("a.csv", csv((1, JANUARY, 1), ("x", JANUARY, 1))))
    (load,) = world.ledger.loads("items")
    world.ledger.reopen(load)
    world.wake("items")
    world.run()
    assert (world.ids(), len(world.rejects())) == ([1], 1)


def test_a_replaced_table_shows_the_newest_object_that_the_bucket_has(endpoint: str) -> None:
    world = World(endpoint, replace(ITEMS, mode="replace"))

    def once_more() -> list[int]:
        world.ledger.reopen(next(load for load in world.ledger.loads("items") if load.key == "items/a.csv"))
        world.wake("items")
        world.run()
        return world.ids()

    world.load(world.put("a.csv", csv((1, JANUARY, 1), ("x", JANUARY, 1))))
    world.load(world.put("b.csv", csv((2, FEBRUARY, 1))))
    assert (world.ids(), len(world.rejects())) == ([2], 0)
    assert once_more() == [2]
    # The newest is deleted for good: now the older one counts, as it would in a rebuild.
    version = world.raw.list_object_versions(Bucket=world.settings.raw_bucket, Prefix="items/b")["Versions"][0]
    world.raw.delete_object(Bucket=world.settings.raw_bucket, Key="items/b.csv", VersionId=version["VersionId"])
    assert (once_more(), len(world.rejects())) == ([1], 1)


def test_an_object_that_breaks_a_rule_that_stops_is_held_back_alone(endpoint: str) -> None:
    stop = Rule(name="maximum", column="amount", predicate='"amount" <= 100', expected="at most 100", severity="stop")
    world = World(endpoint, replace(ITEMS, rules=(stop,)))
    world.load(
        world.put("bad.csv", csv((1, JANUARY, 1), (2, JANUARY, 101))), world.put("good.csv", csv((3, JANUARY, 1)))
    )
    assert world.ids() == [3]
    assert [(row["object"], row["rule"]) for row in world.rejects()] == [("items/bad.csv", "maximum")]
    assert world.states_of_loads() == ["DONE", "REFUSED"]


def test_files_of_a_group_without_a_result_are_not_published(endpoint: str) -> None:
    world = World(endpoint, group_max_objects=1)
    world.ingest(world.put("a.csv", csv((1, JANUARY, 1))), world.put("b.csv", csv((2, JANUARY, 1))))
    world.claim()
    world.transform(0)
    with faults(world, at=0, when="before", crash=True, effects=("UpdateTable",)), pytest.raises(Crash):
        world.publish()
    world.transform(1)  # too late: the decision has been made
    world.publish()
    settled = world.settle()
    assert (world.ids(), settled.state, settled.failed_groups) == ([1], "PARTIAL", 1)
    assert world.states_of_loads() == ["DONE", "PENDING"]
    world.wake("items")
    world.run()
    assert (world.ids(), world.states_of_loads()) == ([1, 2], ["DONE", "DONE"])


def test_the_share_of_rejects_is_judged_by_object() -> None:
    account = LoadSummary(load_id="l", rows_read=10, rows_accepted=8, rows_rejected=2, rows_superseded=0)
    assert held_back(account, replace(ITEMS, max_reject_share=0.2)) is None
    assert held_back(account, replace(ITEMS, max_reject_share=0.19)) is not None
    stopped = replace(account, stops=(RejectCount(column="id", rule="minimum", rows=1),))
    assert held_back(stopped, ITEMS) is not None


def test_nested_columns_are_read_back_by_field_id_after_a_rewrite(endpoint: str) -> None:
    tags = {"name": "tags", "logicalType": "array", "items": {"logicalType": "string"}}
    place = {"name": "place", "logicalType": "object", "properties": [{"name": "zip", "logicalType": "string"}, tags]}
    plan = compiled(
        [{"name": "id", "logicalType": "integer", "primaryKey": True}, place, tags], format="json", mode="merge"
    )
    world = World(endpoint, plan)

    def record(number: int, text: str) -> str:
        return json.dumps({"id": number, "place": {"zip": text, "tags": [text]}, "tags": [text, None]}) + "\n"

    world.load(world.put("a.json", record(1, "a") + record(2, "b")))
    world.load(world.put("b.json", record(2, "c")))  # the file with 1 and 2 is written again without 2
    assert world.rows() == [
        (1, {"zip": "a", "tags": ["a"]}, ["a", None]),
        (2, {"zip": "c", "tags": ["c"]}, ["c", None]),
    ]
    table = world.services.catalog.load_table((world.settings.database, "things"))
    assert len(set(table.schema().field_ids)) == 3 + 4 + len(PROVENANCE)
    other = compiled([{"name": "id", "logicalType": "integer", "primaryKey": True}, place, {**tags, "items": place}])
    with pytest.raises(ContractError, match="column tags is list<string>"):
        ensure(
            world.services.catalog, replace(other, version="2.0.0", mode="merge"),
            database=world.settings.database, lake_bucket=world.settings.lake_bucket,
        )  # fmt: skip
