"""Derived columns: what an expression may be, and that it means what its author wrote."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from sluice.contract.compile import compile_plan
from sluice.contract.model import Dataset, Options, Position, Property
from sluice.contract.plan import Plan
from sluice.errors import ContractError

SOURCE = Position("t.odcs.yaml", "schema[0]", 3)


def column(name: str, logical: str | None = "string", physical: str | None = None, **more: Any) -> Property:
    return Property(name=name, logical_type=logical, physical_type=physical, source=SOURCE, **more)


def compiled(*properties: Property, name: str = "t", **more: Any) -> Plan:
    return compile_plan(Dataset(name=name, version="1", properties=properties, source=SOURCE, **more))


def refusal(*properties: Property, **more: Any) -> str:
    with pytest.raises(ContractError) as caught:
        compiled(*properties, **more)
    assert caught.value.remedy
    return caught.value.message


NUMBERS = (column("i", "integer"), column("f", "number"), column("s"), column("d", "date"), column("m", "timestamp"))


@pytest.mark.parametrize(
    "expression",
    [
        "i + 1",
        "i / 2",
        "i // 2",
        "i % 3",
        "f * 1.609344",
        "round(f, 1)",
        "s || '-' || i",
        "lower(s)",
        "substr(s, 1, 2)",
        "s[1]",
        "length(s)",
        "date_trunc('month', m)",
        "date_diff('day', d, m::date)",
        "d + INTERVAL 1 MONTH",
        "extract(year FROM d)",
        "year(d) * 100 + month(d)",
        "strftime(m, '%Y-%m')",
        "CASE WHEN i > 0 THEN 'p' ELSE 'n' END",
        "coalesce(i, 0)",
        "nullif(i, 1)",
        "i IS NULL",
        "i BETWEEN 1 AND 3",
        "s ILIKE 'a%'",
        "s IN ('a', 'b')",
        "f::decimal(10,2)",
        "greatest(i, 2)",
        "regexp_replace(s, 'b', 'z')",
        "regexp_extract(s, 'a(b)', 1)",
        "split_part(s, ' ', 1)",
        "md5(s)",
        "strptime('2024-01-02', '%Y-%m-%d')",
        "make_date(2024, 1, i)",
        "epoch(m)",
        "position('b' IN s)",
        "i IS DISTINCT FROM 1",
        "dayofweek(d)",
        "last_day(d)",
        "log(abs(f))",
        "pow(i, 2)",
        "d < DATE '2024-01-01'",
        "'it''s'",
        "concat_ws('-', s, i)",
    ],
)
def test_a_derived_column_means_what_its_author_wrote(expression: str) -> None:
    made = compiled(*NUMBERS, column("x", derived=expression)).columns[-1]
    assert made.source is None
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t AS FROM (VALUES"
            " (1, 2.5::DOUBLE, 'ab c', DATE '2024-02-29', TIMESTAMP '2024-02-29 13:14:15'),"
            " (-7, -2.5, 'XY', DATE '1999-12-31', TIMESTAMP '1999-12-31 23:59:59'),"
            " (NULL, NULL, NULL, NULL, NULL)) v(i, f, s, d, m)"
        )
        meant = connection.execute(f"SELECT TRY(CAST(({expression}) AS VARCHAR)) FROM t").fetchall()
        assert connection.execute(f"SELECT {made.cast} FROM t").fetchall() == meant


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("now()", "'now'"),
        ("current_date", "'current_date'"),
        ("random()", "'random'"),
        ("getenv('HOME')", "'getenv'"),
        ("read_text('/etc/passwd')", "'read_text'"),
        ("(SELECT 1)", "not exactly one expression"),
        ("sum(i)", "not scalar"),
        ("row_number() OVER ()", "not scalar"),
        ("i IN (SELECT 1)", "not scalar"),
        ("i; DROP TABLE t", "not exactly one"),
        ("nope + 1", "no column nope"),
        ("t.i", "no column t.i"),
        ("\"getenv\"('HOME')", "under a quoted name"),
        ("*", "not exactly one"),
        ("i AS y", "not exactly one"),
        ("i +", "no SQL expression"),
        ("", "not exactly one"),
        ("s ~ 'b'", "read in two ways"),
        ("x", "no column x"),
        ("$1", "not scalar"),
        ("main.random()", "'random'"),
        ("i" * 10_001, "longer than"),
    ],
)
def test_an_expression_that_is_not_scalar_or_not_repeatable_is_refused(expression: str, message: str) -> None:
    assert message in refusal(*NUMBERS, column("x", derived=expression))


def test_a_failing_expression_yields_null() -> None:
    made = compiled(*NUMBERS, column("x", "integer", derived="s")).columns[-1]
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {made.cast} FROM (VALUES ('a'), ('3')) v(s)").fetchall() == [(None,), (3,)]


@pytest.mark.parametrize(
    "expression",
    [
        "repeat(s, 2000000000)",
        "repeat(s, i)",
        "repeat(repeat(s, 1000), 1000)",
        "lpad(s, 99999999, '0')",
        "rpad(s, i, '0')",
        "printf('%0999999999d', i)",
        "printf('%*d', i, i)",
        "printf(s, i)",
        "format('{:>99999}', s)",
        "format('{:>{}}', s, i)",
    ],
)
def test_an_expression_that_makes_texts_of_any_length_is_refused(expression: str) -> None:
    assert "transformLogic" in refusal(*NUMBERS, column("x", derived=expression))


def test_more_columns_than_a_file_may_have_are_refused_at_once() -> None:
    assert "4097 properties" in refusal(*(column(f"c{at}") for at in range(4097)))


def test_a_pattern_nested_without_end_is_refused() -> None:
    for pattern in ("(" * 2000 + "a" + ")" * 2000, "a" * 10_001, "a{99999999999999999999}"):
        assert "pattern" in refusal(column("s", options=Options(pattern=pattern)))
