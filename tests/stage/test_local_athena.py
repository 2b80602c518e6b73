"""The offline Athena against what Athena is documented to answer, over real Iceberg tables on moto."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import boto3
import pyarrow as pa
import pytest
from pyiceberg.catalog.glue import GlueCatalog

from sluice.lake.catalog import connect
from sluice.local.athena import AthenaError, Result, Scans, execute
from tests.stage.moto_server import BUCKET, DATABASE, REGION, moto_server


def at(*parts: int) -> datetime:
    """A timestamp without zone, as Athena has them."""
    return datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3, 4], pa.int32()),
        "big": pa.array([10, 20, None, 40], pa.int64()),
        "x": pa.array([1.005, -2.5, None, 0.0], pa.float64()),
        "price": pa.array([Decimal("1.50"), Decimal("2.25"), None, Decimal("0.00")], pa.decimal128(6, 2)),
        "name": pa.array(["a", "b", None, "d%"], pa.string()),
        "day": pa.array([date(2013, 1, 31), date(2013, 2, 1), date(2013, 2, 28), None], pa.date32()),
        "at": pa.array(
            [at(2013, 1, 31, 23), at(2013, 2, 1, 1, 30, 15), at(2013, 2, 28), None],
            pa.timestamp("us"),
        ),
        "ok": pa.array([True, False, None, True], pa.bool_()),
    }
)


EXPRESSIONS: list[tuple[str, str, Any]] = [  # over the row with id 1
    # Integers stay integers, and are divided towards zero.
    ("7 / 2", "integer", 3),
    ("-7 / 2", "integer", -3),
    ("big / 4", "bigint", 2),
    ("-7 % 2", "integer", -1),
    ("id / CAST(2 AS double)", "double", 0.5),
    ("7 / 2e0", "double", 3.5),
    # Decimals know their scale.
    ("1.50", "decimal(3,2)", Decimal("1.50")),
    ("price + 1", "decimal(13,2)", Decimal("2.50")),
    ("price * price", "decimal(12,4)", Decimal("2.2500")),
    ("CAST(price AS decimal(6,1))", "decimal(6,1)", Decimal("1.5")),
    ("CAST(2.25 AS decimal(6,1))", "decimal(6,1)", Decimal("2.3")),
    ("CAST(x AS decimal(6,2))", "decimal(6,2)", Decimal("1.01")),
    ("price + x", "double", 2.505),
    # Halves are rounded away from zero.
    ("CAST(2.5e0 AS integer)", "integer", 3),
    ("CAST(-2.5e0 AS bigint)", "bigint", -3),
    ("CAST(2.5 AS integer)", "integer", 3),
    ("round(2.5e0)", "double", 3.0),
    ("round(-2.45e0, 1)", "double", -2.5),
    ("round(id, 1)", "integer", 1),
    ("ceil(id)", "integer", 1),
    ("floor(-1.5e0)", "double", -2.0),
    ("sign(-3)", "integer", -1),
    ("abs(-id)", "integer", 1),
    ("power(2, 3)", "double", 8.0),
    ("sqrt(4)", "double", 2.0),
    ("mod(big, 3)", "bigint", 1),
    # NULL in, NULL out.
    ("greatest(id, NULL)", "integer", None),
    ("greatest(id, big)", "bigint", 10),
    ("least(1, 2.5)", "decimal(11,1)", Decimal("1.0")),
    ("concat('a', NULL)", "varchar", None),
    ("coalesce(NULL, id, 2)", "integer", 1),
    ("nullif(id, 1)", "integer", None),
    ("if(ok, 1)", "integer", 1),
    ("CASE id WHEN 1 THEN 1 ELSE 2.5 END", "decimal(11,1)", Decimal("1.0")),
    ("NULL IS DISTINCT FROM id", "boolean", True),
    # Text.
    ("name || '-' || CAST(id AS varchar)", "varchar", "a-1"),
    ("CAST(price AS varchar)", "varchar", "1.50"),
    ("CAST(ok AS varchar)", "varchar", "true"),
    ("upper(substr('abc', 2))", "varchar", "BC"),
    ("substring('abc', 1, 2)", "varchar", "ab"),
    ("length('\u00e9')", "bigint", 1),
    ("strpos('abc', 'c')", "bigint", 3),
    ("lpad('7', 3, '0')", "varchar", "007"),
    ("rpad('abc', 2, '.')", "varchar", "ab"),
    ("replace('aba', 'a', 'x')", "varchar", "xbx"),
    ("replace('aba', 'a')", "varchar", "b"),
    ("starts_with('abc', 'ab')", "boolean", True),
    ("'50%' LIKE '50!%' ESCAPE '!'", "boolean", True),
    ("format('%04d-%02d %s%%', 7, big, name)", "varchar", "0007-10 a%"),
    # Time: units that have passed, Monday is 1, dates stay dates.
    ("date_diff('day', TIMESTAMP '2013-01-01 23:00:00', TIMESTAMP '2013-01-02 01:00:00')", "bigint", 0),
    ("date_diff('hour', TIMESTAMP '2013-01-02 01:00:00', TIMESTAMP '2013-01-01 23:30:00')", "bigint", -1),
    ("date_diff('day', day, DATE '2013-03-01')", "bigint", 29),
    ("date_add('month', 1, day)", "date", date(2013, 2, 28)),
    ("date_add('hour', -1, at)", "timestamp", at(2013, 1, 31, 22)),
    ("day + INTERVAL '1' DAY", "date", date(2013, 2, 1)),
    ("day - INTERVAL '1' MONTH", "date", date(2012, 12, 31)),
    ("at + INTERVAL '2' HOUR", "timestamp", at(2013, 2, 1, 1)),
    ("date_trunc('month', day)", "date", date(2013, 1, 1)),
    ("date_trunc('week', at)", "timestamp", at(2013, 1, 28)),
    ("day_of_week(DATE '2013-01-06')", "bigint", 7),
    ("EXTRACT(DOW FROM DATE '2013-01-06')", "bigint", 7),
    ("EXTRACT(YEAR FROM at)", "bigint", 2013),
    ("week(DATE '2012-12-31')", "bigint", 1),
    ("day_of_year(day)", "bigint", 31),
    ("quarter(at)", "bigint", 1),
    ("hour(at) * 100 + minute(at)", "bigint", 2300),
    ("date(at)", "date", date(2013, 1, 31)),
    ("CAST(format('%d-%02d-%02d', 2013, 2, id) AS date)", "date", date(2013, 2, 1)),
    ("CAST(day AS timestamp)", "timestamp", at(2013, 1, 31)),
    ("CAST(day AS varchar)", "varchar", "2013-01-31"),
    ("date_format(at, '%Y-%m-%d %H:%i:%s')", "varchar", "2013-01-31 23:00:00"),
    ("at > DATE '2013-01-31'", "boolean", True),
    ("(SELECT max(id) FROM t)", "integer", 4),
    ("id IN (SELECT id FROM t WHERE ok)", "boolean", True),
    ("EXISTS (SELECT 1 FROM t AS o WHERE o.id = t.id + 1)", "boolean", True),
]

AGGREGATES: list[tuple[str, str, Any]] = [
    ("sum(id)", "bigint", 10),
    ("sum(price)", "decimal(38,2)", Decimal("3.75")),
    ("avg(big)", "double", 70 / 3),
    ("avg(CAST(price AS double))", "double", 1.25),
    ("count(*)", "bigint", 4),
    ("count(DISTINCT ok)", "bigint", 2),
    ("count_if(ok)", "bigint", 2),
    ("count_if(ok AND NULL)", "bigint", 0),
    ("count_if(id > 100) FILTER (WHERE id > 100)", "bigint", 0),
    ("sum(id) FILTER (WHERE id > 100)", "bigint", None),
    ("sum(id) FILTER (WHERE ok)", "bigint", 5),
    ("max(at)", "timestamp", at(2013, 2, 28)),
    ("max_by(name, id)", "varchar", "d%"),
    ("max_by(name, big)", "varchar", "d%"),
    ("min_by(big, -id)", "bigint", 40),
    ("max_by(big, 3 - abs(id - 3))", "bigint", None),  # the row with the extreme has NULL, and NULL it is
    ("bool_and(ok)", "boolean", False),
    ("stddev(id)", "double", 1.2909944487358056),
    ("var_pop(id)", "double", 1.25),
    ("sum(big) / count(big)", "bigint", 23),
]


@dataclass
class Athena:
    endpoint: str
    catalog: GlueCatalog
    scans: Scans = field(default_factory=Scans)

    def __call__(self, sql: str) -> Result:
        return execute(sql, database=DATABASE, endpoint=self.endpoint, region=REGION, scans=self.scans)


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with moto_server() as endpoint:
        catalog = connect(boto3.Session(region_name=REGION), endpoint=endpoint)
        table = catalog.create_table((DATABASE, "t"), ROWS.schema, location=f"s3://{BUCKET}/tables/t")
        table.append(ROWS.slice(0, 2))
        table.append(ROWS.slice(2))
        yield Athena(endpoint, catalog)


@pytest.fixture(scope="module")
def answers(athena: Athena) -> dict[str, tuple[str, Any]]:
    """Type and value of every expression and aggregate, each kind asked for in one statement."""
    found: dict[str, tuple[str, Any]] = {}
    for cases, where in ((EXPRESSIONS, "WHERE id = 1"), (AGGREGATES, "")):
        items = ", ".join(f"{expression} AS c{place}" for place, (expression, _, _) in enumerate(cases))
        result = athena(f"SELECT {items} FROM t {where}")
        kinds = [kind for _, kind in result.columns]
        found |= {case[0]: answer for case, answer in zip(cases, zip(kinds, result.rows[0], strict=True), strict=True)}
    return found


@pytest.mark.parametrize(("expression", "kind", "value"), [*EXPRESSIONS, *AGGREGATES], ids=str)
def test_expression_has_the_type_and_value_that_athena_gives(
    answers: dict[str, tuple[str, Any]], expression: str, kind: str, value: Any
) -> None:
    assert answers[expression] == (kind, pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT price / 3 FROM t", "division of decimals"),
        ("SELECT 100.0 * sum(id) / count(*) FROM t", "division of decimals"),
        ("SELECT avg(price) FROM t", "avg of a decimal"),
        ("SELECT round(price, 1) FROM t", "of a decimal"),
        ("SELECT DECIMAL '10.00'", "decimal without precision"),
        ("SELECT CAST(x AS varchar) FROM t", "cast from double to varchar"),
        ("SELECT CAST(at AS varchar) FROM t", "cast from timestamp to varchar"),
        ("SELECT CAST(name AS integer) FROM t", "cast from varchar to integer"),
        ("SELECT format_datetime(at, 'yyyy') FROM t", "function format_datetime()"),
        ("SELECT date_format(at, '%W') FROM t", "date_format() takes"),
        ("SELECT date_diff('month', at, at) FROM t", "unit 'month'"),
        ("SELECT date_diff('day', day, at) FROM t", "a date and a timestamp"),
        ("SELECT substr(name, 0, 2) FROM t", "substr() takes"),
        ("SELECT median(id) FROM t", "function median()"),
        ("SELECT approx_distinct(id) FROM t", "function approx_distinct()"),
        ("SELECT now()", "function now()"),
        ("SELECT current_date", "CURRENT_DATE"),
        ("SELECT id::bigint FROM t", "':' is not Athena SQL here"),
        ("SELECT name FROM t WHERE id = '1'", "types (integer, varchar) do not fit"),
        ("SELECT name FROM t WHERE id IN (SELECT name FROM t)", "types (integer, varchar) do not fit"),
        ("SELECT id AS k, count(*) FROM t GROUP BY k", "Column 'k' could not be resolved"),
        ("SELECT id FROM t QUALIFY row_number() OVER (ORDER BY id) = 1", "'row_number' is not Athena SQL here"),
        ("SELECT nothing FROM t", "Column 'nothing' could not be resolved"),
        ("SELECT id FROM nowhere", "TABLE_NOT_FOUND"),
        ("SELECT id, count(*) FROM t", "id must be in GROUP BY"),
        ("SELECT id / (id - 1) FROM t", "Division by zero"),
        ("SELECT id % (id - 1) FROM t", "Division by zero"),
        ("SELECT format('%d', big) FROM t", "format() of NULL"),
        ("SELECT CAST(name AS date) FROM t", "Value cannot be cast to date"),
        ("SELECT DATE '2013-01-31 10:00'", "as date"),
        ("SELECT id FROM t UNION ALL SELECT name FROM t", "two types"),
        ("SELECT id FROM t CROSS JOIN UNNEST(ARRAY[1]) AS u (n)", "outside the SELECT subset"),
        ("SELECT id FROM t WHERE id", "not a condition"),
        ("INSERT INTO t SELECT * FROM t", "INSERT is not done"),
        ("DELETE FROM t", "DELETE is not done"),
        ("SELECT id FROM t FOR VERSION AS OF 1", "has no version 1"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("", "an empty statement"),
    ],
)
def test_what_it_cannot_answer_as_athena_does_is_refused(athena: Athena, sql: str, reason: str) -> None:
    with pytest.raises(AthenaError) as failure:
        athena(sql)
    assert reason in str(failure.value)


def test_nulls_come_last_in_both_directions(athena: Athena) -> None:
    assert athena("SELECT id FROM t ORDER BY big, id").rows == [(1,), (2,), (4,), (3,)]
    assert athena("SELECT id FROM t ORDER BY big DESC, id").rows == [(4,), (2,), (1,), (3,)]


def test_windows_ctes_unions_and_unnamed_columns(athena: Athena) -> None:
    result = athena("""
        WITH numbered AS (SELECT *, row_number() OVER (PARTITION BY ok ORDER BY id DESC) AS place FROM t)
        SELECT id, sum(id) OVER (ORDER BY id), lag(id, 1, 0) OVER (ORDER BY id) FROM numbered WHERE place = 1
        UNION ALL SELECT 100, 0, NULL ORDER BY id LIMIT 3
    """)
    assert result.columns == [("id", "integer"), ("_col1", "bigint"), ("_col2", "integer")]
    assert result.rows == [(2, 2, 0), (3, 5, 2), (4, 9, 3)]


def test_names_are_case_insensitive_and_come_out_in_lower_case(athena: Athena) -> None:
    assert athena('SELECT T.Id AS "Mine" FROM T WHERE ID = 1').columns == [("mine", "integer")]


def test_a_version_or_a_moment_shows_the_table_as_it_was(athena: Athena) -> None:
    first, second = athena.catalog.load_table((DATABASE, "t")).snapshots()
    count = "SELECT count(*) AS n FROM t FOR {} AS OF {} AS old"
    assert athena(count.format("VERSION", first.snapshot_id)).rows == [(2,)]
    assert athena(count.format("VERSION", second.snapshot_id)).rows == [(4,)]
    between = datetime.fromtimestamp((second.timestamp_ms - 1) / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    assert athena(count.format("TIMESTAMP", f"TIMESTAMP '{between} UTC'")).rows == [(2,)]
    with pytest.raises(AthenaError, match="has no timestamp"):
        athena(count.format("TIMESTAMP", "TIMESTAMP '2000-01-01 00:00:00 UTC'"))
    listed = athena('SELECT snapshot_id, operation FROM "t$snapshots" ORDER BY committed_at')
    assert listed.rows == [(first.snapshot_id, "append"), (second.snapshot_id, "append")]


def test_a_scan_of_a_snapshot_is_kept_for_the_next_statement(athena: Athena) -> None:
    scans = Scans()
    ask = {"database": DATABASE, "endpoint": athena.endpoint, "region": REGION, "scans": scans}
    execute("SELECT sum(id) AS n FROM t", **ask)
    (kept,) = scans._kept.values()
    assert kept.column_names == ["id"]
    execute("SELECT max(name) AS n FROM t", **ask)
    assert execute("SELECT count(*) AS n FROM t", **ask).rows == [(4,)]
    (kept,) = scans._kept.values()
    assert set(kept.column_names) == {"id", "name"}


def test_ctas_makes_an_iceberg_table_with_partitions_at_its_location(athena: Athena) -> None:
    location = f"s3://{BUCKET}/tables/by_month/abc"
    sql = f"""CREATE TABLE "{DATABASE}"."by_month" WITH (
          table_type = 'ICEBERG', is_external = false, location = '{location}', format = 'PARQUET',
          partitioning = ARRAY['month(day)']
        ) AS SELECT day, sum(id) AS total, max(price) AS price FROM t GROUP BY day"""
    assert athena(sql).statement == "DDL"
    table = athena.catalog.load_table((DATABASE, "by_month"))
    assert table.location() == location
    assert [str(field.transform) for field in table.spec().fields] == ["month"]
    files = [task.file for task in table.scan().plan_files()]
    assert len(files) == 3  # January, February, no month
    assert all(file.file_path.startswith(location + "/data/") for file in files)
    assert athena("SELECT total FROM by_month ORDER BY day").rows == [(1,), (2,), (3,), (4,)]
    with pytest.raises(AthenaError, match="non-empty location"):
        athena(sql.replace('"by_month"', '"other"'))
    with pytest.raises(AthenaError, match="TABLE_ALREADY_EXISTS"):
        athena(sql.replace(location, location + "2"))
    athena("DROP TABLE by_month")
    assert not athena.catalog.table_exists((DATABASE, "by_month"))


def test_ctas_of_no_rows_is_an_empty_table(athena: Athena) -> None:
    options = f"table_type = 'ICEBERG', is_external = false, location = 's3://{BUCKET}/tables/none/x'"
    athena(f"CREATE TABLE none WITH ({options}) AS SELECT id, name FROM t WHERE id > 100")
    assert athena("SELECT * FROM none") == Result(columns=[("id", "integer"), ("name", "varchar")], rows=[])


def test_ctas_refuses_a_column_without_a_name(athena: Athena) -> None:
    options = f"table_type = 'ICEBERG', is_external = false, location = 's3://{BUCKET}/tables/bad/x'"
    with pytest.raises(AthenaError, match="MISSING_COLUMN_NAME"):
        athena(f"CREATE TABLE bad WITH ({options}) AS SELECT count(*) FROM t")


def test_a_view_is_expanded_where_it_is_read_and_captures_no_name(athena: Athena) -> None:
    athena("CREATE VIEW good AS SELECT id, name FROM t WHERE ok")
    athena("CREATE OR REPLACE VIEW better AS\nSELECT g.id, g.name FROM good AS g WHERE g.id > 1")
    assert athena("WITH t AS (SELECT 9 AS id) SELECT better.id, t.id FROM better CROSS JOIN t").rows == [(4, 9)]
    assert athena("SHOW TABLES 'good|better'").rows == [("better",), ("good",)]
    assert athena("DESCRIBE better").rows == [("id", "int", ""), ("name", "string", "")]
    with pytest.raises(AthenaError, match="TABLE_ALREADY_EXISTS"):
        athena("CREATE VIEW good AS SELECT 1 AS a")
    athena("DROP VIEW good")
    with pytest.raises(AthenaError, match="TABLE_NOT_FOUND"):
        athena("SELECT * FROM better")
