"""A rebuild against moto: all is loaded again under the present contract and swapped in at once, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from sluice.contract.plan import Plan, Rule
from sluice.errors import StaleRunError
from sluice.lake.marks import TableState, properties_in_glue, table_state
from sluice.stages.judge import MOST_GROUPS, pack
from sluice.stages.rebuild import Asked, ask, pack_all
from tests.stage.core_world import ITEMS, MERGED, Crash, World, csv, faults
from tests.stage.moto_server import moto_server
from tests.unit.test_stage_judge import claimed

pytestmark = pytest.mark.proof

DAY = "2024-01-10"
SMALL = Rule(name="maximum", column="amount", predicate='"amount" <= 5', expected="at most 5")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def stand(world: World) -> TableState:
    glue, database = world.services.glue, world.settings.database
    return table_state(
        properties_in_glue(glue, database=database, table="items"),
        properties_in_glue(glue, database=database, table="items__rejects"),
    )


def backfill(world: World) -> Asked:
    return ask("items", stand(world), ledger=world.ledger, wake=world.wake)


def change(world: World) -> None:
    """A new version of the contract: an amount above 5 is a reject."""
    world.plan = replace(world.plan, version="2.0.0", rules=(SMALL,))


def contracts(world: World) -> set[str]:
    table = world.services.catalog.load_table((world.settings.database, "items")).scan().to_arrow()
    return set(table["_sluice_contract"].to_pylist())


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (ITEMS, [1, 3]),
        (MERGED, [1, 3, 4]),  # of key 3 the row with the largest amount that the contract allows
        (replace(ITEMS, mode="replace"), [3]),
    ],
    ids=["append", "merge", "replace"],
)
def test_all_rows_are_judged_anew_and_swapped_in_by_one_snapshot(
    endpoint: str, plan: Plan, expected: list[int]
) -> None:
    world = World(endpoint, plan)
    world.load(world.put("a.csv", csv((1, DAY, 1), (2, DAY, 9), ("x", DAY, 1))))
    world.load(world.put("b.csv", csv((3, DAY, 9), (4, DAY, 2))))
    world.load(world.put("b.csv", csv((3, DAY, 3), (5, DAY, 8))))
    before, snapshots = world.rows(), world.snapshots()
    change(world)
    assert (backfill(world).is_new, backfill(world).is_new) == (True, False)
    fence = world.fence
    claim = world.claim(fence)
    assert claim.generation == 1
    for group in claim.groups:
        world.transform(group.index, fence)
    assert (world.rows(), world.snapshots()) == (before, snapshots)  # readable, and what it was
    world.ingest(world.put("late.csv", csv((6, DAY, 1), (7, DAY, 6))))  # arrives meanwhile
    world.publish(fence)
    assert world.snapshots() == snapshots + 1
    world.settle(fence)
    assert (world.ids(), contracts(world), stand(world).generation) == (expected, {"2.0.0"}, 1)
    assert {row["contract"] for row in world.rejects()} == {"2.0.0"}
    world.run()  # the one that came meanwhile
    assert 6 in world.ids()
    assert 7 not in world.ids()
    assert world.states_of_loads().count("PENDING") == 0
    assert world.reconcile().woken is None


def test_a_rebuild_equals_a_table_built_from_scratch(endpoint: str) -> None:
    world, scratch = World(endpoint), World(endpoint)
    for one in (world, scratch):
        if one is scratch:
            change(one)
        one.load(one.put("a.csv", csv((1, DAY, 1), (2, DAY, 9))), one.put("b.csv", csv((3, DAY, 3))))
        one.load(one.put("a.csv", csv((1, DAY, 2), (4, DAY, 9))))
    change(world)
    backfill(world)
    world.run()
    assert world.rows() == scratch.rows()
    assert [(row["row_number"], row["rule"], row["value"]) for row in world.rejects()] == [
        (row["row_number"], row["rule"], row["value"]) for row in scratch.rejects()
    ]


def test_a_rebuild_with_a_failed_group_changes_nothing_and_is_tried_again(endpoint: str) -> None:
    world = World(endpoint, group_max_objects=1)
    world.load(world.put("a.csv", csv((1, DAY, 1))), world.put("b.csv", csv((2, DAY, 9))))
    change(world)
    backfill(world)
    fence = world.fence
    claim = world.claim(fence)
    assert len(claim.groups) == 2
    world.transform(0, fence)
    assert not world.publish(fence).changed
    assert world.settle(fence).state == "FAILED"
    assert (world.ids(), stand(world).generation, world.states_of_loads()) == ([1, 2], 0, ["PENDING", "PENDING"])
    world.states.stop_execution(executionArn=world.execution(f"items-{fence}"))
    world.reconcile()
    world.run()
    assert (world.ids(), stand(world).generation, world.states_of_loads()) == ([1], 1, ["DONE", "DONE"])


def test_a_rebuild_that_failed_too_often_is_given_up_and_the_table_stays(endpoint: str) -> None:
    world = World(endpoint, max_attempts=2)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    backfill(world)
    for _ in range(2):
        fence = world.fence
        assert world.claim(fence).generation == 1
        world.settle(fence, outcome="failed", error="out of memory")
        world.states.stop_execution(executionArn=world.execution(f"items-{fence}"))
        world.reconcile()
    assert world.claim().generation == 0
    assert (world.ids(), world.ledger.lease("items").generation, world.states_of_loads()) == ([1], 0, ["PARKED"])


def test_a_rebuild_of_nothing_is_given_up(endpoint: str) -> None:
    world = World(endpoint)
    backfill(world)
    assert (world.claim().is_empty, world.ledger.lease("items").generation) == (True, 0)


def test_a_rebuild_that_nobody_woke_is_woken_by_the_reconciler(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    world.ledger.ask_generation("items", 1)
    assert world.reconcile().woken == "items-2"
    world.run()
    assert (stand(world).generation, world.reconcile().woken) == (1, None)


@pytest.mark.timeout(900)
def test_publishing_a_rebuild_may_die_at_any_call(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1), ("x", DAY, 1))), world.put("b.csv", csv((2, DAY, 2))))
    effects = ("PutObject", "file.create", "UpdateTable")
    for at in range(14):
        backfill(world)
        fence = world.fence
        world.claim(fence)
        world.transform(0, fence)
        with faults(world, at=at, when="after", crash=True, effects=effects) as calls, suppress(Crash):
            world.publish(fence)
        assert world.ids() == [1, 2], calls
        world.publish(fence)
        world.settle(fence)
        assert (world.ids(), len(world.rejects()), stand(world).generation) == ([1, 2], 1, at + 1)
    assert len(calls) < at, "the points are not all there are"


def test_a_run_of_before_cannot_undo_a_rebuild(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, DAY, 1))))
    world.ingest(world.put("a.csv", csv((2, DAY, 2))))
    old = world.fence
    world.claim(old)
    world.transform(0, old)
    world.now = world.now.replace(hour=23)  # its lease has ended
    backfill(world)
    world.run()
    assert world.ids() == [2]
    with pytest.raises(StaleRunError):
        world.publish(old)
    assert (world.ids(), stand(world).generation) == ([2], 1)


def test_what_does_not_fit_the_groups_of_a_run_goes_to_spark_as_a_whole() -> None:
    def packing(loads: Any) -> Any:
        return pack(loads, lambda_max_bytes=100, group_max_bytes=100, group_max_objects=1)

    few = [claimed(str(at), attempts=3) for at in range(3)]
    assert [group.engine for group in pack_all(few, packing)] == ["lambda"] * 3
    many = [claimed(str(at)) for at in range(MOST_GROUPS + 1)]
    (group,) = pack_all(many, packing)
    assert (group.engine, len(group.loads)) == ("glue", MOST_GROUPS + 1)
