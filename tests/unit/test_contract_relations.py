"""Relationships: what they may say, and the question that is asked of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from sluice.contract.plan import Relationship
from sluice.contract.relations import orphan_query
from sluice.errors import ContractError
from sluice.project import load_project
from tests.unit.contract_case import compiled, contract

PROPERTIES: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "integer", "primaryKey": True},
    {"name": "shop", "logicalType": "string", "relationships": [{"type": "foreignKey", "to": "shops.code"}]},
    {"name": "town", "logicalType": "string"},
]


def test_relationships_stand_at_a_property_or_at_the_object(tmp_path: Path) -> None:
    text = contract(PROPERTIES).replace(
        "- name: things\n",
        "- name: things\n  relationships: [{from: [things.shop, town], to: [shops.code, shops.town]}]\n",
    )
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "things.odcs.yaml").write_text(text)
    assert load_project(tmp_path).plans["things"].relationships == (
        Relationship(columns=("shop", "town"), dataset="shops", to=("code", "town")),
        Relationship(columns=("shop",), dataset="shops", to=("code",)),
    )


def test_a_column_that_a_dataset_of_the_project_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "things.odcs.yaml").write_text(contract(PROPERTIES))
    shops = contract([{"name": "name", "logicalType": "string"}]).replace("things", "shops")
    (tmp_path / "contracts" / "shops.odcs.yaml").write_text(shops)
    with pytest.raises(ContractError, match=r"shop refers to shops\.code, which is no column"):
        load_project(tmp_path)


def test_orphans_are_rows_that_refer_to_something_that_is_not_there() -> None:
    plan = compiled(PROPERTIES)
    both = Relationship(columns=("shop", "town"), dataset="shops", to=("code", "town"))
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE shops AS FROM (VALUES ('a', 'x'), ('a', 'y'), ('b', NULL)) t(code, town)")
        rows = "(1, 'a', 'x'), (2, 'b', 'x'), (3, 'c', NULL), (4, NULL, 'x')"
        connection.execute(f"CREATE TABLE things AS FROM (VALUES {rows}) t(id, shop, town)")
        assert connection.execute(orphan_query(plan, plan.relationships[0])).fetchall() == [(3, 1)]
        assert connection.execute(orphan_query(plan, both)).fetchall() == [(2, 1)]


def test_relationships_reject_nothing() -> None:
    plain = [*PROPERTIES[:1], {"name": "shop", "logicalType": "string"}, *PROPERTIES[2:]]
    assert compiled(PROPERTIES).rules == compiled(plain).rules
