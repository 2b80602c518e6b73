"""What may stand once in an object, and checks of an object as a whole: who is rejected, what is held back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.contract.plan import Plan
from sluice.kernel.judging.quality import added
from sluice.kernel.judging.verdict import broken_checks
from sluice.kernel.outcome import LoadSummary, Measure
from sluice.stages.holding import held_back
from tests.unit.contract_case import compiled
from tests.unit.kernel_case import run

ID: dict[str, Any] = {"name": "id", "logicalType": "integer", "primaryKey": True}
MAIL: dict[str, Any] = {"name": "mail", "logicalType": "string", "unique": True}
CODE: dict[str, Any] = {"name": "code", "logicalType": "string"}


def test_a_later_row_that_repeats_a_unique_value_is_a_reject_with_its_text(tmp_path: Path) -> None:
    plan = compiled([ID, MAIL, CODE], quality=[duplicates("mail", "code")])
    case = run(tmp_path, "id,mail,code\n1,a,x\n2,a,x\n3,b,y\n4,,y\n5,,y\n3,c,z\n6,a,y\n", plan)
    assert [row for (row,) in case.rows("id")] == [1, 3, 4, 5, 6][:4]
    assert case.rejects('row_number, ordinal, "column", rule, reason, "value", raw') == [
        (2, 1, "mail", "unique", "expected each mail once in an object, got it again: a", "a", "2,a,x"),
        (
            2, 2, "mail, code", "duplicateValues",
            "expected each mail, code once in an object, got it again: a, x", "a, x", "2,a,x",
        ),
        (6, 1, "id", "primaryKey", "expected each id once in an object, got it again: 3", "3", "3,c,z"),
        (7, 1, "mail", "unique", "expected each mail once in an object, got it again: a", "a", "6,a,y"),
    ]  # fmt: skip
    load = case.load
    assert (load.rows_read, load.rows_accepted, load.rows_rejected) == (7, 4, 3)


def duplicates(*columns: str) -> dict[str, Any]:
    return {"metric": "duplicateValues", "arguments": {"properties": list(columns)}, "mustBe": 0}


def test_objects_do_not_know_each_others_values(tmp_path: Path) -> None:
    case = run(tmp_path, {"a": "id,mail\n1,a\n", "b": "id,mail\n2,a\n"}, compiled([ID, MAIL]))
    assert case.rejects() == []


def test_in_merge_a_value_belongs_to_the_key_of_the_first_row_that_has_it(tmp_path: Path) -> None:
    rows = "1,a\n2,a\n1,a\n1,b\n3,b\n2,c\n"
    case = run(tmp_path, "id,mail\n" + rows, compiled([ID, MAIL], mode="merge"))
    assert case.rows("id, mail, _sluice_row") == [(1, "b", 4), (2, "c", 6)]
    assert case.rejects("row_number, rule, raw") == [(2, "unique", "2,a"), (5, "unique", "3,b")]
    load = case.load
    assert (load.rows_read, load.rows_accepted, load.rows_rejected, load.rows_superseded) == (6, 2, 2, 2)


ROWS = "id,code\n1,a\n2,a\n3,b\n4,\n"  # 4 rows, 1 missing, 1 repeated, 1 that is not a


@pytest.mark.parametrize(
    ("check", "comparison", "broken"),
    [
        ({"metric": "nullValues"}, {"mustBe": 1}, None),
        ({"metric": "nullValues"}, {"mustNotBe": 1}, "nullValues of code must not be 1, got 1"),
        ({"metric": "nullValues"}, {"mustBeGreaterThan": 0}, None),
        ({"metric": "nullValues"}, {"mustBeGreaterThan": 1}, "nullValues of code must be greater than 1, got 1"),
        ({"metric": "nullValues"}, {"mustBeGreaterOrEqualTo": 1}, None),
        ({"metric": "nullValues"}, {"mustBeLessThan": 2}, None),
        ({"metric": "nullValues"}, {"mustBeLessOrEqualTo": 0.5}, "must be less or equal to 0.5, got 1"),
        ({"metric": "nullValues"}, {"mustBeBetween": [1, 3]}, None),
        ({"metric": "nullValues"}, {"mustBeBetween": [2, 3]}, "must be between 2 and 3, got 1"),
        ({"metric": "nullValues"}, {"mustNotBeBetween": [0, 1]}, "must not be between 0 and 1, got 1"),
        ({"metric": "nullValues", "unit": "percent"}, {"mustBeLessOrEqualTo": 25}, None),
        ({"metric": "nullValues", "unit": "percent"}, {"mustBeLessThan": 25}, "than 25 percent, got 25 percent"),
        ({"metric": "missingValues", "arguments": {"missingValues": ["b"]}}, {"mustBe": 2}, None),
        ({"metric": "invalidValues", "arguments": {"validValues": ["a"]}}, {"mustBe": 1}, None),
        ({"metric": "invalidValues", "arguments": {"pattern": "^[ab]$"}}, {"mustBeLessThan": 5}, None),
        ({"metric": "duplicateValues"}, {"mustBe": 1}, None),
        ({"metric": "duplicateValues", "unit": "percent"}, {"mustBeLessThan": 20}, "got 25 percent"),
        ({"type": "sql", "query": "SELECT count(*) FROM ${object} WHERE ${property} = 'a'"}, {"mustBe": 2}, None),
        ({"type": "sql", "query": "SELECT avg(id) FROM ${object}"}, {"mustBe": 2.5}, None),
        ({"type": "sql", "query": "SELECT sum(id) FROM ${object} WHERE id > 9"}, {"mustBe": 0}, "got nothing that can"),
        ({"type": "sql", "query": "SELECT max(CAST(code AS INT)) FROM ${object}"}, {"mustBe": 0}, "got nothing that"),
        ({"type": "sql", "query": "SELECT max(code) FROM ${object}"}, {"mustBe": 0}, "got nothing that can"),
    ],
)
def test_an_object_keeps_or_breaks_a_check_as_a_whole(
    tmp_path: Path, check: dict[str, Any], comparison: dict[str, Any], broken: str | None
) -> None:
    plan = compiled([ID, {**CODE, "quality": [{**check, **comparison}]}])
    case = run(tmp_path, ROWS, plan)
    assert case.load.rows_accepted == 4
    found = [item.sentence for item in broken_checks(case.load, plan)]
    if broken is None:
        assert found == []
        assert held_back(case.load, plan) is None
    else:
        (sentence,) = found
        assert broken in sentence
        assert sentence in str(held_back(case.load, plan))


def test_a_check_that_warns_holds_nothing_back(tmp_path: Path) -> None:
    few = {"metric": "rowCount", "mustBeGreaterThan": 100}
    plan = compiled([ID, CODE], quality=[{**few, "severity": "warning"}])
    case = run(tmp_path, ROWS, plan)
    assert [item.sentence for item in broken_checks(case.load, plan)] == ["rowCount must be greater than 100, got 4"]
    assert held_back(case.load, plan) is None
    assert held_back(case.load, compiled([ID, CODE], quality=[few])) is not None


def test_checks_are_of_the_rows_that_would_be_published_of_each_object_by_itself(tmp_path: Path) -> None:
    plan = compiled(
        [ID, {**CODE, "enum": [{"value": "a"}]}],
        quality=[
            {"metric": "rowCount", "mustBeGreaterThan": 0},
            {"type": "sql", "query": "SELECT count(*) FROM ${object}", "mustBeGreaterThan": 0},
        ],
    )
    objects = {"good": "id,code\n1,a\n1,a\nx,a\n", "bad": "id,code\n1,b\n", "empty": "id,code\n", "none": "x\n"}
    case = run(tmp_path, objects, plan)
    good, bad, empty, none = case.outcome.loads
    assert [measure.value for measure in good.measures] == [1, 1]
    assert [measure.value for measure in bad.measures] == [measure.value for measure in empty.measures] == [0, 0]
    assert none.refused
    assert none.measures == ()
    assert [bool(held_back(load, plan)) for load in case.outcome.loads] == [False, True, True, False]


def shares(plan: Plan, *values: tuple[int, int | float | None]) -> tuple[Measure, ...]:
    return added(
        [
            LoadSummary(
                load_id="a",
                rows_read=rows,
                rows_accepted=rows,
                rows_rejected=0,
                rows_superseded=0,
                measures=(Measure(check=0, value=value),),
            )
            for rows, value in values
        ],
        plan,
    )


def test_shares_of_an_object_add_up_and_places_without_its_rows_say_nothing() -> None:
    plan = compiled([ID, CODE], quality=[{"metric": "rowCount", "mustBe": 1}])
    assert shares(plan, (3, 2), (0, 0), (1, 1)) == (Measure(check=0, value=3),)
    assert shares(plan, (0, 7), (3, 2.5)) == (Measure(check=0, value=2.5),)
    assert shares(plan, (0, None), (0, None)) == (Measure(check=0, value=None),)
