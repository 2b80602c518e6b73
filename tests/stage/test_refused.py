"""A file that cannot be published empties no table: the newest that can be counts, and the refusal is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sluice.lake.marks import properties_in_glue, table_state
from sluice.stages.rebuild import ask
from tests.stage.core_world import ITEMS, World, csv
from tests.stage.moto_server import moto_server
from tests.stage.test_doctor import look

DAY = "2024-01-10"
BAD = "\x89PNG, no table\n"
NOTED = "newer versions that could not be published: the table shows the last that could"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def of_mode(endpoint: str, mode: Any, **more: Any) -> World:
    return World(endpoint, replace(ITEMS, mode=mode, **more))


def shown(world: World) -> tuple[list[int], list[str]]:
    """Return the ids in the table, and the objects that the rejects tell of."""
    table = world.services.catalog.load_table((world.settings.database, world.plan.dataset)).scan().to_arrow()
    return sorted(table.column("id").to_pylist()), sorted({row["object"] for row in world.rejects()})


def settle_down(world: World) -> None:
    """Let runs follow one another as they wake each other, and the reconciler look."""
    while world.ledger.lease("items").run_id:
        world.run()
    world.reconcile()
    while world.ledger.lease("items").run_id:
        world.run()


def test_a_refused_file_empties_no_replace_table_and_its_removal_needs_no_tricks(endpoint: str) -> None:
    world = of_mode(endpoint, "replace")
    world.load(world.put("1.csv", csv((1, DAY, 1))))
    world.load(world.put("picture.csv", BAD))
    assert shown(world) == ([1], ["items/picture.csv"])
    notes = {finding.check: finding for finding in look(world).findings}
    assert (notes[NOTED].count, look(world).holds) == (1, True)
    world.ingest(world.delete("picture.csv"))
    settle_down(world)
    assert shown(world)[0] == [1]
    world.load(world.put("2.csv", csv((2, DAY, 2))))
    assert shown(world) == ([2], [])
    assert look(world).holds


@pytest.mark.proof
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_refused_version_hides_no_older_one_that_came_in_the_same_run(endpoint: str, mode: Any) -> None:
    world = of_mode(endpoint, mode)
    good, bad = world.put("a.csv", csv((1, DAY, 1))), world.put("a.csv", BAD)
    world.ingest(good, bad)
    assert world.run().next_run == "items-2"  # at once: not when the reconciler comes
    settle_down(world)
    assert shown(world) == ([1], ["items/a.csv"])
    assert look(world).holds


@pytest.mark.proof
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_an_overwritten_object_keeps_its_rows_until_a_version_comes_that_can_be_published(
    endpoint: str, mode: Any
) -> None:
    world = of_mode(endpoint, mode, max_reject_share=0.4)
    world.load(world.put("a.csv", csv((1, DAY, 1), ("x", DAY, 1), (3, DAY, 1))))
    assert shown(world) == ([1, 3], ["items/a.csv"])
    world.load(world.put("a.csv", csv((4, DAY, 1), ("x", DAY, 1))))  # held back
    world.load(world.put("a.csv", BAD))
    settle_down(world)
    assert shown(world)[0] == [1, 3]
    assert len({row["version"] for row in world.rejects()}) == 3  # what is shown, and the newer ones
    world.load(world.put("a.csv", csv((5, DAY, 1))))
    assert shown(world) == ([5], [])


@pytest.mark.proof
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_rebuild_under_a_contract_that_refuses_more_shows_the_last_that_it_reads(endpoint: str, mode: Any) -> None:
    world = of_mode(endpoint, mode)
    world.load(world.put("a.csv", csv((1, DAY, 1), (2, DAY, 1))))
    world.load(world.put("a.csv", csv((3, DAY, 1), ("x", DAY, 1))))
    assert shown(world)[0] == [3]
    world.plan = replace(world.plan, version="2.0.0", max_reject_share=0.1)
    tables = (world.plan.dataset, world.plan.rejects_table)
    found = table_state(
        *(properties_in_glue(world.services.glue, database=world.settings.database, table=name) for name in tables)
    )
    ask("items", found, ledger=world.ledger, wake=world.wake)
    settle_down(world)
    assert shown(world) == ([1, 2], ["items/a.csv"])
    assert not world.reconcile().reopened
    world.plan = replace(world.plan, version="3.0.0", max_reject_share=None)
    found = table_state(
        *(properties_in_glue(world.services.glue, database=world.settings.database, table=name) for name in tables)
    )
    ask("items", found, ledger=world.ledger, wake=world.wake)
    settle_down(world)
    assert shown(world) == ([3], ["items/a.csv"])
