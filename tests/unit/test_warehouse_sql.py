"""The SQL that goes to Athena: pins at every place, the author's words otherwise, valid in Trino's grammar."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from sluice.project import load_project
from sluice.warehouse.mart import Mart
from sluice.warehouse.order import downstream
from sluice.warehouse.parse import compile_marts
from sluice.warehouse.sql import ctas, pin, pinned_tables, view

TABLES = {"sales": [("shop", "string"), ("pieces", "int")], "shops": [("shop", "string"), ("city", "string")]}
HEADER = "-- ---\n-- description: x\n{}-- ---\n"


def compiled(**texts: tuple[str, str]) -> dict[str, Mart]:
    files = {f"{name}.sql": HEADER.format(extra) + select for name, (extra, select) in texts.items()}
    return {mart.name: mart for mart in compile_marts(files, tables=TABLES)}


def test_every_place_of_a_table_is_pinned_and_nothing_else_is_touched() -> None:
    select = (
        "WITH sales_2 AS (SELECT shop FROM SALES) -- sales of all\n"
        "SELECT s.shop, 'FROM sales' AS word, (SELECT count(*) FROM sales) AS n\n"
        "FROM sales AS s JOIN shops t ON t.shop = s.shop\nWHERE s.shop IN (SELECT shop FROM sales_2)"
    )
    mart = compiled(m=("", select))["m"]
    assert pin(mart, {"sales": 7, "shops": 8}, {}) == (
        'WITH sales_2 AS (SELECT shop FROM "sales" FOR VERSION AS OF 7 AS sales) -- sales of all\n'
        "SELECT s.shop, 'FROM sales' AS word, "
        '(SELECT count(*) FROM "sales" FOR VERSION AS OF 7 AS sales) AS n\n'
        'FROM "sales" FOR VERSION AS OF 7 AS s JOIN "shops" FOR VERSION AS OF 8 t ON t.shop = s.shop\n'
        "WHERE s.shop IN (SELECT shop FROM sales_2)"
    )


def test_a_view_is_put_in_its_place_because_it_cannot_be_pinned() -> None:
    marts = compiled(
        v=("-- materialized: view\n", "SELECT shop FROM sales WHERE pieces > 1"),
        m=("", "SELECT v.shop FROM v"),
    )
    views = {"v": marts["v"]}
    assert pinned_tables(marts["m"], views) == ("sales",)
    assert pin(marts["m"], {"sales": 7}, views) == (
        'SELECT v.shop FROM (\nSELECT shop FROM "sales" FOR VERSION AS OF 7 AS sales WHERE pieces > 1\n) AS v'
    )


def test_a_table_without_a_snapshot_is_never_read_unpinned() -> None:
    with pytest.raises(KeyError):
        pin(compiled(m=("", "SELECT shop FROM sales"))["m"], {}, {})


def test_ctas_makes_an_iceberg_table_in_the_words_of_athena() -> None:
    mart = compiled(m=("-- partitioned_by: [shop]\n", "SELECT shop FROM sales"))["m"]
    sql = ctas(mart, "SELECT 1 AS shop", database="lake", table="m__ctas_1", location="s3://b/tables/m/data/1")
    assert sql == (
        'CREATE TABLE "lake"."m__ctas_1" WITH (\n'
        "  table_type = 'ICEBERG',\n  is_external = false,\n  location = 's3://b/tables/m/data/1',\n"
        "  format = 'PARQUET',\n  partitioning = ARRAY['shop']\n) AS\nSELECT 1 AS shop"
    )


def test_downstream_of_a_table_follows_marts_of_marts() -> None:
    marts = compiled(a=("", "SELECT shop FROM sales"), b=("", "SELECT shop FROM a"), c=("", "SELECT shop FROM shops"))
    names = [mart.name for mart in downstream(tuple(marts.values()), "sales")]
    assert names == ["a", "b"]


def test_the_projects_marts_are_valid_trino_and_pin_all_they_read(root: Path) -> None:
    project = load_project(root)
    views = {mart.name: mart for mart in project.marts if mart.materialized == "view"}
    assert len(project.marts) >= 3
    for mart in project.marts:
        tables = pinned_tables(mart, views)
        sql = pin(mart, {table: 1000 + place for place, table in enumerate(tables)}, views)
        for text in (ctas(mart, sql, database="d", table="t", location="s3://b/x"), view(mart, database="d")):
            once = sqlglot.parse_one(text, read="athena").sql("trino")
            assert sqlglot.parse_one(once, read="trino").sql("trino") == once
        tree = sqlglot.parse_one(sql, read="trino")
        ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
        read = [table for table in tree.find_all(exp.Table) if table.name not in ctes]
        assert {table.name for table in read} == set(tables)
        assert all(table.args.get("version") for table in read)
