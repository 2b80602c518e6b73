"""Mart files: what compiles, and how each mistake is named with file, line and remedy."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sluice.errors import ContractError
from sluice.warehouse.mart import Mart, MartTest, marts_from_json, marts_to_json
from sluice.warehouse.parse import compile_marts, parse_mart

TABLES = {
    "sales": [("shop", "string"), ("amount", "decimal(8,2)"), ("pieces", "int"), ("at", "timestamp"), ("day", "date")],
    "shops": [("shop", "string"), ("city", "string")],
}
HEADER = "-- What sells?\n-- ---\n-- description: One row a shop.\n{extra}-- ---\n"


def mart(select: str, extra: str = "", file: str = "marts/totals.sql") -> Mart:
    return parse_mart(HEADER.format(extra=extra) + select, file=file, tables=TABLES)


def test_a_mart_knows_its_sources_columns_types_and_tests() -> None:
    made = mart(
        "WITH good AS (SELECT * FROM sales WHERE pieces > 0)\n"
        "SELECT good.shop, sum(good.amount) AS total, count(*) AS n\n"
        "FROM good JOIN shops USING (shop) GROUP BY good.shop;",
        extra="-- keys: [shop]\n-- partitioned_by: [shop]\n-- tests:\n--   - not_null: [total]\n",
    )
    assert made.name == "totals"
    assert made.materialized == "table"
    assert made.sources == ("sales", "shops")
    assert made.columns == (("shop", "varchar"), ("total", "decimal(38,2)"), ("n", "bigint"))
    assert made.tests == (
        MartTest("not_null", ("shop",)),
        MartTest("unique", ("shop",)),
        MartTest("not_null", ("total",)),
    )
    assert made.sql.startswith("WITH good")
    assert made.sql.endswith("GROUP BY good.shop")


def test_a_compiled_mart_survives_its_json_form() -> None:
    made = mart("SELECT shop FROM sales", extra="-- keys: [shop]\n")
    assert marts_from_json(marts_to_json([made])) == (made,)
    assert Mart.from_json(made.to_json()).digest == made.digest


def test_a_name_of_a_cte_hides_the_table_of_that_name() -> None:
    assert mart("WITH sales AS (SELECT shop FROM shops) SELECT shop FROM sales").sources == ("shops",)


@pytest.mark.parametrize(
    ("select", "line", "reason"),
    [
        ("DELETE FROM sales", 5, "DELETE is not a SELECT"),
        ("SELECT shop FROM sales; SELECT shop FROM shops", None, "2 statements"),
        ("", None, "0 statements"),
        ("SELECT shop\nFROM nowhere", 6, "unknown table nowhere"),
        ("SELECT shop,\n  colour\nFROM sales", 6, "'colour' could not be resolved"),
        ("SELECT sales.shop,\n  shops.colour\nFROM sales, shops", 6, "colour"),
        ("SELECT shop FROM sales\nJOIN shops ON true", 5, "'shop' could not be resolved"),
        ("SELECT shop\nFROM sales GROUP shop", 6, "'shop' is not Athena SQL here after GROUP"),
        ("SELECT (shop FROM sales", 5, "'FROM' is not Athena SQL here after SHOP"),
        ("SELECT shop, pieces AS shop FROM sales", 5, "two columns are named shop"),
        ("SELECT count(*) FROM sales", 5, "column 1 has no name"),
        ('SELECT shop AS "Shop of sale" FROM sales', 5, "column name 'shop of sale'"),
        (
            "SELECT shop,\n  approx_percentile(pieces, 0.5) AS m FROM sales",
            6,
            "function approx_percentile() is outside",
        ),
        ("SELECT avg(amount) AS a FROM sales", 5, "avg of a decimal"),
        ("SELECT shop FROM sales\nWHERE shop > 3", 6, "types (varchar, integer) do not fit"),
        ("SELECT current_date AS today, shop FROM sales", 5, "CURRENT_DATE"),
        ("SELECT shop FROM lake.sales", 5, "names a database"),
        ("SELECT shop FROM sales\nFOR VERSION AS OF 3", 5, "is pinned by the mart"),
        ("SELECT u.x FROM sales CROSS JOIN UNNEST(ARRAY[1]) AS u (x)", 5, "outside the SELECT subset"),
        ("WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r", 5, "recursive CTE"),
    ],
)
def test_a_mistake_in_the_select_is_named_with_its_line(select: str, line: int | None, reason: str) -> None:
    with pytest.raises(ContractError) as failure:
        mart(select)
    assert reason in failure.value.message
    assert failure.value.file == "marts/totals.sql"
    if line is not None:
        assert failure.value.place.partition(",")[0] == f"line {line}"


@pytest.mark.parametrize(
    ("header", "place", "reason"),
    [
        ("", "line 1", "the file has no header"),
        ("-- ---\n-- description: x\n", "line 1", "the file has no header"),
        ("-- ---\n-- description: [\n-- ---\n", "line 2", "the header is not YAML"),
        ("-- ---\n-- just words\n-- ---\n", "line 2", "not a YAML mapping"),
        ("-- ---\n-- materialized: table\n-- ---\n", "line 2", "no description"),
        ("-- ---\n-- description: x\n-- materialised: view\n-- ---\n", "line 3", "unknown header entry 'materialised'"),
        ("-- ---\n-- description: x\n-- materialized: index\n-- ---\n", "line 3", "materialized: 'index'"),
        ("-- ---\n-- description: x\n-- keys: shop\n-- ---\n", "line 3", "keys is not a list"),
        ("-- ---\n-- description: x\n-- tests: [positive: [n]]\n-- ---\n", "line 3", "tests is not a list"),
        ("-- ---\n-- description: x\n-- keys: [colour]\n-- ---\n", "header", "colour is not a column"),
        ("-- ---\n-- description: x\n-- partitioned_by: [month(shop)]\n-- ---\n", "header", "of a varchar"),
        ("-- ---\n-- description: x\n-- partitioned_by: [bucket(shop)]\n-- ---\n", "header", "bucket"),
        (
            "-- ---\n-- description: x\n-- materialized: view\n-- tests: [unique: [shop]]\n-- ---\n",
            "line 4",
            "a view holds no rows",
        ),
    ],
)
def test_a_mistake_in_the_header_is_named_with_its_place(header: str, place: str, reason: str) -> None:
    with pytest.raises(ContractError) as failure:
        parse_mart(header + "SELECT shop FROM sales", file="m.sql", tables=TABLES)
    assert reason in failure.value.message
    assert failure.value.place == place
    assert failure.value.remedy


def test_a_mart_must_not_take_the_name_of_a_table_or_an_odd_one() -> None:
    with pytest.raises(ContractError, match="is the name of a table too"):
        mart("SELECT shop FROM shops", file="sales.sql")
    with pytest.raises(ContractError, match="is not a mart's name"):
        mart("SELECT shop FROM shops", file="my mart.sql")


def test_marts_come_after_the_marts_that_they_read_and_know_their_columns() -> None:
    head = HEADER.format(extra="")
    texts = {
        "a.sql": head + "SELECT b.shop, b.total / 2 AS half FROM b",
        "b.sql": head + "SELECT c.shop, CAST(c.total AS double) AS total FROM c",
        "c.sql": head + "SELECT shop, sum(pieces) AS total FROM sales GROUP BY shop",
    }
    made = compile_marts(texts, tables=TABLES)
    assert [one.name for one in made] == ["c", "b", "a"]
    assert dict(made[2].columns)["half"] == "double"
    with pytest.raises(ContractError, match="Unknown column: sum"):
        compile_marts({**texts, "a.sql": head + "SELECT b.sum FROM b"}, tables=TABLES)


def test_marts_that_read_each_other_are_named_in_a_circle() -> None:
    head = HEADER.format(extra="")
    texts = {
        "a.sql": head + "SELECT shop FROM b",
        "b.sql": head + "SELECT shop FROM c",
        "c.sql": head + "SELECT a.shop FROM a JOIN sales USING (shop)",
    }
    with pytest.raises(ContractError) as failure:
        compile_marts(texts, tables=TABLES)
    circle = failure.value.message.removeprefix("marts read each other in a circle: ").split(" reads ")
    reads = {"a": "b", "b": "c", "c": "a"}
    assert len(circle) == 4
    assert all(reads[reader] == read for reader, read in pairwise(circle))
    with pytest.raises(ContractError, match="x reads x"):
        compile_marts({"x.sql": head + "SELECT shop FROM x"}, tables=TABLES)
