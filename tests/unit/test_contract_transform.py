"""`transforms/<dataset>.sql`: computed columns, rows that are left out as rejects, and what a transform may not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.contract.plan import Plan
from sluice.errors import ContractError
from sluice.project import load_plan, load_project
from tests.unit.contract_case import contract
from tests.unit.kernel_case import run

PROPERTIES: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "integer", "primaryKey": True},
    {"name": "amount", "logicalType": "number", "physicalType": "decimal(8,2)"},
    {"name": "shop", "logicalType": "string"},
    {"name": "cents", "logicalType": "integer", "required": True},
]
SELECT = "SELECT *, CAST(amount * 100 AS INT) AS cents FROM source WHERE shop <> 'test' AND 10 / amount > 0"


def project(folder: Path, sql: str | None, properties: list[dict[str, Any]] = PROPERTIES, **more: Any) -> Path:
    (folder / "contracts").mkdir()
    (folder / "contracts" / "things.odcs.yaml").write_text(contract(properties, **more))
    if sql is not None:
        (folder / "transforms").mkdir()
        (folder / "transforms" / "things.sql").write_text(sql)
    return folder / "contracts" / "things.odcs.yaml"


def plan(folder: Path, sql: str | None, **more: Any) -> Plan:
    return load_plan(project(folder, sql, **more))


def test_a_transform_computes_columns_and_leaves_rows_out_as_rejects(tmp_path: Path) -> None:
    made = plan(tmp_path, SELECT)
    assert [(column.name, column.source) for column in made.columns][-1] == ("cents", None)
    (tmp_path / "run").mkdir()
    case = run(tmp_path / "run", "id,amount,shop\n1,1.50,a\n2,2.00,test\n3,2.00,\n4,,a\n4,3.00,a\n", made)
    assert case.rows("_sluice_row, id, cents") == [(1, 1, 150), (5, 4, 300)]
    assert case.rejects('row_number, ordinal, "column", rule, raw') == [
        (2, 1, None, "transform", "2,2.00,test"),
        (3, 1, None, "transform", "3,2.00,"),
        (4, 1, "cents", "required", "4,,a"),
        (4, 2, None, "transform", "4,,a"),
    ]
    assert case.rejects("reason")[0] == ("expected a row that the transform keeps: shop <> 'test' AND 10 / amount > 0",)
    load = case.load
    assert load.rows_read == load.rows_accepted + load.rows_rejected == 5


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT id, amount, cents FROM source", "leaves out the column shop"),
        ("SELECT *, 1 AS other FROM source", "'other', which is no property"),
        ("SELECT *, amount * 2 FROM source", "has no name"),
        ("SELECT *, 1 AS cents, 2 AS cents FROM source", "'cents' twice"),
        ("SELECT * EXCLUDE (shop), 1 AS cents FROM source", "* with exceptions"),
        ("SELECT DISTINCT * FROM source", "DISTINCT"),
        ("SELECT *, 1 AS cents FROM source LIMIT 5", "LIMIT"),
        ("SELECT *, 1 AS cents FROM source JOIN other USING (id)", "JOINS"),
        ("SELECT *, count(*) AS cents FROM source GROUP BY id", "GROUP"),
        ("WITH source AS (SELECT 1) SELECT *, 1 AS cents FROM source", "WITH"),
        ("SELECT *, 1 AS cents FROM other", "does not read FROM source"),
        ("SELECT *, 1 AS cents FROM read_csv('/etc/passwd')", "does not read FROM source"),
        ("SELECT *, 1 AS cents", "does not read FROM source"),
        ("SELECT * FROM source; SELECT * FROM source", "not exactly one SELECT"),
        ("DROP TABLE source", "not exactly one SELECT"),
        ("SELECT *, (SELECT 1) AS cents FROM source", "not exactly one expression"),
        ("SELECT *, getenv('HOME') AS cents FROM source", "'getenv'"),
        ("SELECT *, row_number() OVER () AS cents FROM source", "is not scalar"),
        ("SELECT *, 1 AS cents FROM source WHERE random() > 0.5", "WHERE: "),
        ("SELECT *, 1 AS cents FROM source WHERE cents > 1", "no column cents"),
        ("SELECT *, 1 AS cents FROM source WHERE id IN (SELECT id FROM source)", "is not scalar"),
    ],
)
def test_what_could_lose_double_or_mix_rows_is_refused(tmp_path: Path, sql: str, message: str) -> None:
    with pytest.raises(ContractError) as caught:
        plan(tmp_path, sql)
    assert message in caught.value.message
    assert caught.value.remedy


def test_a_transform_needs_a_contract_of_its_name(tmp_path: Path) -> None:
    project(tmp_path, SELECT)
    assert list(load_project(tmp_path).plans) == ["things"]
    (tmp_path / "transforms" / "thing.sql").write_text(SELECT)
    with pytest.raises(ContractError, match="a transform without a contract"):
        load_project(tmp_path)


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"transformLogic": "date_trunc('month', shop)"}, "column cents", "date_trunc"),
        ({"transformLogic": "amount + shop"}, "column cents", ""),
        (
            {"quality": [{"type": "sql", "query": "SELECT max(date_trunc('day', shop)) FROM ${object}", "mustBe": 1}]},
            "quality check sql", "date_trunc",
        ),
        (
            {"quality": [{"type": "sql", "query": "SELECT max(shop) FROM ${object}", "mustBe": 1}]},
            "quality check sql", "yields VARCHAR",
        ),
    ],
)  # fmt: skip
def test_an_expression_that_does_not_fit_its_types_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, Any], place: str, message: str
) -> None:
    properties = [*PROPERTIES[:3], {**PROPERTIES[3], **change}]
    with pytest.raises(ContractError) as caught:
        plan(tmp_path, None, properties=properties)
    assert caught.value.place == place
    assert message in caught.value.message
