"""A contract grows while its table lives: schema changes by field id, old rows readable, older workers harmless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pyiceberg.table import Table

from sluice.contract.plan import Column, Plan
from sluice.errors import ContractError
from tests.stage.core_world import ITEMS, MERGED, World, csv
from tests.stage.moto_server import moto_server
from tests.unit.contract_case import compiled

JANUARY, FEBRUARY = "2024-01-10", "2024-02-10"
NOTE = Column(name="note", source="note", type="string", cast='"note"')


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def with_ids(plan: Plan) -> Plan:
    return replace(plan, columns=tuple(replace(column, id=f"p-{column.name}") for column in plan.columns))


def second(plan: Plan, version: str = "1.1.0") -> Plan:
    """`amount` is called quantity and is a long, and a note stands before it."""
    identity, day, amount = plan.columns
    quantity = replace(amount, name="quantity", type="long", cast='TRY_CAST("amount" AS BIGINT)')
    sequence = "quantity" if plan.sequence_by else None
    reading = replace(plan.reading, missing_columns="null")
    return replace(
        plan, version=version, columns=(identity, day, NOTE, quantity), sequence_by=sequence, reading=reading
    )


def table_of(world: World) -> Table:
    return world.services.catalog.load_table((world.settings.database, "items"))


def columns_of(world: World) -> list[tuple[str, str]]:
    fields = table_of(world).schema().fields
    return [(field.name, str(field.field_type)) for field in fields if not field.name.startswith("_sluice")]


@pytest.mark.parametrize("plan", [with_ids(ITEMS), with_ids(MERGED)], ids=["append", "merge"])
def test_old_rows_stay_readable_and_may_still_be_replaced(endpoint: str, plan: Plan) -> None:
    world = World(endpoint, plan)
    world.load(world.put("a.csv", csv((1, JANUARY, 5), (2, JANUARY, 6))), world.put("b.csv", csv((3, JANUARY, 7))))
    before = table_of(world).metadata.current_snapshot_id
    world.plan = second(plan)
    world.load(world.put("b.csv", "id,day,amount,note\n3,2024-01-10,8,new\n4,2024-02-10,5000000000,big\n"))
    assert columns_of(world) == [("id", "long"), ("day", "date"), ("note", "string"), ("quantity", "long")]
    assert [(row[0], row[2], row[3]) for row in world.rows()] == [
        (1, None, 5), (2, None, 6), (3, "new", 8), (4, "big", 5_000_000_000),
    ]  # fmt: skip
    old = table_of(world).scan(snapshot_id=before).to_arrow()
    assert sorted(old["amount"].to_pylist()) == [5, 6, 7]


def test_fitting_a_table_twice_makes_no_second_commit(endpoint: str) -> None:
    world = World(endpoint, with_ids(ITEMS))
    world.load(world.put("a.csv", csv((1, JANUARY, 5))))
    world.plan = second(world.plan)
    world.load(world.put("b.csv", csv((2, JANUARY, 5))))
    fitted = table_of(world)
    world.ingest(world.put("c.csv", csv((3, JANUARY, 5))))
    world.claim()
    assert table_of(world).metadata_location == fitted.metadata_location


def test_without_an_id_a_renamed_property_is_a_new_column_beside_the_old_one(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 5))))
    world.plan = second(ITEMS)
    world.load(world.put("b.csv", csv((2, JANUARY, 6))))
    assert [name for name, _ in columns_of(world)] == ["id", "day", "note", "quantity", "amount"]
    assert [(row[0], row[3]) for row in world.rows()] == [(1, None), (2, 6)]


@pytest.mark.parametrize(("version", "left"), [("1.1.0", ["id", "day", "amount"]), ("2.0.0", ["id", "day"])])
def test_only_a_major_version_drops_a_column(endpoint: str, version: str, left: list[str]) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 5))))
    ignoring = replace(ITEMS.reading, unknown_columns="ignore")
    world.plan = replace(ITEMS, version=version, columns=ITEMS.columns[:2], reading=ignoring)
    world.load(world.put("b.csv", csv((2, JANUARY, 6))))
    assert [name for name, _ in columns_of(world)] == left
    assert world.ids() == [1, 2]


def test_a_table_that_never_said_who_shaped_it_loses_no_column(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 5))))
    with table_of(world).transaction() as transaction:
        transaction.remove_properties("sluice.contract")
    ignoring = replace(ITEMS.reading, unknown_columns="ignore")
    world.plan = replace(ITEMS, version="2.0.0", columns=ITEMS.columns[:2], reading=ignoring)
    world.load(world.put("b.csv", csv((2, JANUARY, 6))))
    assert [name for name, _ in columns_of(world)] == ["id", "day", "amount"]


def test_contract_versions_are_compared_as_numbers(endpoint: str) -> None:
    world = World(endpoint, replace(with_ids(ITEMS), version="1.9.0"))
    world.load(world.put("a.csv", csv((1, JANUARY, 5))))
    world.plan = second(world.plan, "1.10.0")
    world.load(world.put("b.csv", csv((2, JANUARY, 6))))
    assert [name for name, _ in columns_of(world)] == ["id", "day", "note", "quantity"]


def test_a_worker_with_an_older_contract_reshapes_nothing(endpoint: str) -> None:
    world = World(endpoint, with_ids(ITEMS))
    world.load(world.put("a.csv", csv((1, JANUARY, 5))))
    world.plan = second(world.plan)
    world.load(world.put("b.csv", csv((2, JANUARY, 6))))
    shape = columns_of(world)
    world.plan = with_ids(ITEMS)
    world.ingest(world.put("c.csv", csv((3, JANUARY, 7))))
    with pytest.raises(ContractError, match=r"contract 1.0.0 is older than 1.1.0"):
        world.claim()
    assert columns_of(world) == shape


def test_a_column_comes_before_nested_ones_that_stay_as_they_are(endpoint: str) -> None:
    identity = {"name": "id", "logicalType": "integer"}
    tags = {"name": "tags", "logicalType": "array", "items": {"logicalType": "string"}}
    world = World(endpoint, compiled([identity, tags], format="json"))
    world.load(world.put("a.json", '{"id": 1, "tags": ["a"]}\n'))
    note = {"name": "note", "logicalType": "string"}
    wider = compiled([identity, note, tags], format="json", missingColumns="null")
    world.plan = replace(wider, version="1.1.0")
    world.load(world.put("b.json", '{"id": 2, "note": "n", "tags": ["b"]}\n'))
    assert world.rows() == [(1, None, ["a"]), (2, "n", ["b"])]


def test_a_type_that_no_promotion_reaches_is_refused_with_the_way_out(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", csv((1, JANUARY, 5))))
    text = replace(ITEMS.columns[2], type="string", cast='"amount"')
    world.plan = replace(ITEMS, version="2.0.0", columns=(*ITEMS.columns[:2], text))
    world.ingest(world.put("b.csv", csv((2, JANUARY, 6))))
    with pytest.raises(ContractError, match="column amount is int in table") as refused:
        world.claim()
    assert "sluice replay" in (refused.value.remedy or "")


def test_an_id_cannot_take_the_name_of_a_column_that_is_there(endpoint: str) -> None:
    world = World(endpoint, replace(with_ids(ITEMS), partition=()))
    world.load(world.put("a.csv", csv((1, JANUARY, 5))))
    identity, _, amount = world.plan.columns
    world.plan = replace(world.plan, columns=(identity, replace(amount, name="day")))
    world.ingest(world.put("b.csv", csv((2, JANUARY, 6))))
    with pytest.raises(ContractError, match="column day is to be the name of another column"):
        world.claim()
