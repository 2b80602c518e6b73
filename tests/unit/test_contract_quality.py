"""Which quality checks become rules, promises and checks of the whole object, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.contract.plan import ObjectCheck, Unique
from tests.unit.contract_case import compiled, refusal

ID: dict[str, Any] = {"name": "id", "logicalType": "integer", "primaryKey": True}
NOTE: dict[str, Any] = {"name": "note", "logicalType": "string"}


def of_note(**check: Any) -> list[dict[str, Any]]:
    return [ID, {**NOTE, "quality": [check]}]


@pytest.mark.parametrize(
    "comparison",
    [
        {"mustBe": 0},
        {"mustBe": 0, "unit": "percent"},
        {"mustBeLessThan": 1},
        {"mustBeLessOrEqualTo": 0},
        {"mustBeBetween": [0, 0]},
    ],
)
def test_a_metric_that_allows_no_row_is_a_rule_of_each_row(comparison: dict[str, Any]) -> None:
    made = compiled(of_note(metric="nullValues", **comparison))
    assert [rule.name for rule in made.rules if rule.column == "note"] == ["required"]
    assert made.checks == ()


@pytest.mark.parametrize(
    "comparison",
    [
        {"mustBe": 3},
        {"mustNotBe": 0},
        {"mustBeGreaterThan": 0},
        {"mustBeGreaterOrEqualTo": 1},
        {"mustBeLessThan": 1, "unit": "percent"},
        {"mustBeLessOrEqualTo": 2},
        {"mustBeBetween": [0, 3]},
        {"mustNotBeBetween": [1, 3]},
    ],
)
def test_a_metric_that_allows_some_rows_is_a_check_of_the_object(comparison: dict[str, Any]) -> None:
    made = compiled(of_note(metric="invalidValues", arguments={"validValues": ["a", None]}, **comparison))
    ((operator, bounds), *_) = comparison.items()
    assert made.checks == (
        ObjectCheck(
            name="invalidValues",
            column="note",
            measure="break",
            operator=operator,
            bounds=tuple(bounds) if isinstance(bounds, list) else (bounds,),
            percent="unit" in comparison,
            sql="\"note\" IN ('a')",
        ),
    )
    assert [rule for rule in made.rules if rule.column == "note"] == []


def test_what_may_stand_once_is_said_by_unique_and_by_duplicate_values() -> None:
    pairs = {"metric": "duplicateValues", "arguments": {"properties": ["note", "day"]}, "mustBe": 0}
    day = {"name": "day", "logicalType": "date"}
    made = compiled([ID, {**NOTE, "unique": True}, day], quality=[pairs])
    assert made.unique == (
        Unique(name="unique", columns=("note",)),
        Unique(name="duplicateValues", columns=("note", "day")),
    )
    counted = compiled([ID, NOTE, day], quality=[{**pairs, "severity": "warning"}])
    assert counted.unique == ()
    assert [(check.measure, check.columns, check.severity) for check in counted.checks] == [
        ("repeat", ("note", "day"), "warn")
    ]


def test_the_key_needs_no_second_promise() -> None:
    same = {"metric": "duplicateValues", "arguments": {"properties": ["id"]}, "mustBe": 0}
    assert compiled([{**ID, "unique": True}, NOTE], quality=[same]) == compiled([ID, NOTE])


@pytest.mark.parametrize(
    ("query", "sql"),
    [
        ("SELECT count(*) FROM ${object}", 'SELECT COUNT(*) FROM "source"'),
        (
            "SELECT COUNT(*) FROM {model} WHERE ${property} IS NULL",
            'SELECT COUNT(*) FROM "source" WHERE "note" IS NULL',
        ),
        ("select max(id) - min(id) from things", 'SELECT MAX("id") - MIN("id") FROM "source"'),
        (
            "SELECT max(n) FROM (SELECT note, count(*) AS n FROM ${object} GROUP BY note)",
            'SELECT MAX("n") FROM (SELECT "note", COUNT(*) AS "n" FROM "source" GROUP BY "note")',
        ),
    ],
)
def test_an_sql_check_asks_one_number_of_the_rows(query: str, sql: str) -> None:
    (check,) = compiled(of_note(type="sql", query=query, mustBeLessThan=5)).checks
    assert (check.name, check.measure, check.sql) == ("sql", "query", sql)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1", "not one aggregate"),
        ("SELECT id FROM ${object}", "not one aggregate"),
        ("SELECT count(*), 1 FROM ${object}", "not one aggregate"),
        ("SELECT count(*) FROM ${object} GROUP BY note", "GROUP"),
        ("SELECT count(*) FROM ${object} LIMIT 0", "LIMIT"),
        ("SELECT count(*) FROM customers", "which is not the object"),
        ("SELECT count(*) FROM read_csv('/etc/passwd')", "which is not the object"),
        ("SELECT count(*) FROM '/etc/passwd'", "which is not the object"),
        ("SELECT count(*) FROM ${object}, ${object} b", "join"),
        ("SELECT count(*) FROM ${object} WHERE id > (SELECT count(*) FROM secrets)", "which is not the object"),
        ("SELECT count(nope) FROM ${object}", "there is no column"),
        ("SELECT count(*) FILTER (random() > 0.5) FROM ${object}", "random"),
        ("SELECT max(getenv('HOME')) FROM ${object}", "getenv"),
        ("SELECT max(rank) FROM (SELECT row_number() OVER () AS rank FROM ${object})", "row_number"),
        ("SELECT any_value(id) FROM ${object}", "any_value"),
        ("SELECT count(*) FROM ${object}; DROP TABLE x", "not exactly one SELECT"),
        ("DELETE FROM ${object}", "not exactly one SELECT"),
        ("SELEC count(*)", "no"),
        ("SELECT count(*) FROM ${schema}", "${schema} is not understood"),
    ],
)
def test_an_sql_check_that_could_ask_anything_else_is_refused(query: str, message: str) -> None:
    error = refusal(of_note(type="sql", query=query, mustBe=0))
    assert error.message.startswith("query: ")
    assert message in error.message
    assert "schema[0].properties[1].quality[0]" in error.place


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"metric": "nullValues"}, "0 comparisons"),
        ({"metric": "nullValues", "mustBe": 0, "mustNotBe": 1}, "2 comparisons"),
        ({"metric": "nullValues", "mustBe": "none"}, "mustBe is 'none'"),
        ({"metric": "nullValues", "mustBeBetween": [1]}, "at least 2 items"),
        ({"metric": "nullValues", "mustBe": 0, "unit": "dozen"}, "in dozen"),
        ({"metric": "rowCount", "mustBe": 1}, "rowCount at a property"),
        ({"metric": "freshness", "mustBe": 1}, "'freshness' is not known"),
        ({"metric": "invalidValues", "mustBe": 1}, "exactly one argument"),
        ({"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["nope"]}}, "'nope'"),
        ({"type": "sql", "mustBe": 0}, "without a query"),
        ({"type": "custom", "engine": "soda", "implementation": "x"}, "type 'custom'"),
    ],
)
def test_a_check_that_is_not_understood_is_refused(check: dict[str, Any], message: str) -> None:
    assert message in refusal(of_note(**check)).message


def test_a_metric_of_values_cannot_stand_at_the_object() -> None:
    error = refusal([ID, NOTE], quality=[{"metric": "nullValues", "mustBe": 0}])
    assert (error.message, "schema[0].quality[0]" in error.place) == ("nullValues of a whole object", True)
