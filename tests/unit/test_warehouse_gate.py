"""What Athena refuses, synth refuses: syntax by Trino's grammar, shape by rules."""

from __future__ import annotations

import pytest

from sluice.errors import ContractError
from sluice.warehouse.mart import Mart
from sluice.warehouse.parse import parse_mart

TABLES = {
    "t": [("a", "int"), ("b", "int"), ("c", "string"), ("at", "timestamp"), ("day", "date"), ("group", "string")],
    "u": [("a", "int"), ("e", "int")],
}
HEADER = "-- ---\n-- description: One row.\n-- ---\n"
FIRST = HEADER.count("\n") + 1


def mart(select: str) -> Mart:
    return parse_mart(HEADER + select, file="marts/m.sql", tables=TABLES)


REFUSED = [  # statement, line and column within it (0: not told), what the message says, what the remedy says
    ("SELECT a FROM t\nLIMIT 3 OFFSET 2", 2, 9, "'OFFSET' is not Athena SQL here", "OFFSET 20 LIMIT 10"),
    ("SELECT a FROM t LIMIT 10, 5", 1, 25, "','", "OFFSET 20 LIMIT 10"),
    ("SELECT a FROM t LIMIT 1 + 1", 1, 25, "'+'", "whole number"),
    ("SELECT a FROM t LIMIT 2.5", 1, 23, "'2.5'", ""),
    ("SELECT a FROM t LIMIT (SELECT 1)", 1, 24, "'SELECT'", "whole number"),
    ("SELECT a,\nFROM t", 2, 1, "'FROM'", "take the comma before FROM away"),
    ("FROM t SELECT a", 1, 1, "'FROM'", ""),
    ("SELECT * REPLACE (1 AS a) FROM t", 1, 10, "'REPLACE'", "name the columns"),
    ("SELECT DISTINCT ON (a) b FROM t", 1, 17, "'ON'", "max_by"),
    ("SELECT group FROM t", 1, 8, "group is a reserved word", '"group"'),
    ("SELECT t.group FROM t", 1, 10, "group is a reserved word", '"group"'),
    ("SELECT a AS end FROM t", 1, 13, "end is a reserved word", '"end"'),
    ("SELECT order.a FROM t AS order", 1, 8, "order is a reserved word", '"order"'),
    ("WITH table AS (SELECT 1 AS x) SELECT x FROM table", 1, 6, "table is a reserved word", '"table"'),
    ("SELECT a AS last FROM t", 1, 0, "last is a reserved word", '"last"'),
    ("SELECT a BETWEEN SYMMETRIC 1 AND 2 AS x FROM t", 1, 28, "'1'", ""),
    ("SELECT a FROM t WHERE a IN ()", 1, 25, "'IN'", "at least one"),
    ("SELECT `a` FROM t", 1, 8, "`a`", '"a"'),
    ("SELECT a AS 1st FROM t", 1, 13, "begins with a digit", '"1st"'),
    ("SELECT 'it\\'s' AS x FROM t", 1, 14, "a text that does not end", "''"),
    ("SELECT (a FROM t", 1, 11, "'FROM'", "parenthesis"),
    ("SELECT at + INTERVAL '2' WEEK AS x FROM t", 1, 31, "'AS'", "INTERVAL '1' DAY"),
    ("SELECT at + INTERVAL '1' QUARTER AS x FROM t", 1, 34, "'AS'", "INTERVAL '1' DAY"),
    ("SELECT at + INTERVAL '1 day' AS x FROM t", 1, 0, "INTERVAL", "DAY"),
    ("SELECT at + INTERVAL 1 DAY AS x FROM t", 1, 22, "'1'", "INTERVAL '1' DAY"),
    ("SELECT a FROM t NATURAL JOIN u", 1, 0, "NATURAL JOIN", "USING"),
    ("SELECT count(*) AS n FROM t GROUP BY ROLLUP (a, b % 2)", 1, 0, "ROLLUP takes names of columns", "inner SELECT"),
    ("SELECT count(DISTINCT a, b) AS n FROM t", 1, 0, "takes one argument", "SELECT DISTINCT"),
    ("SELECT count(DISTINCT a) OVER () AS n FROM t", 1, 0, "DISTINCT in a window", ""),
    ("SELECT DISTINCT a FROM t ORDER BY b", 1, 0, "beside DISTINCT", "columns of the SELECT"),
    ("SELECT a, b FROM t GROUP BY a", 1, 0, "b must be in GROUP BY", "max(b)"),
    ("SELECT a, count(*) AS n FROM t", 1, 0, "a must be in GROUP BY", "max(a)"),
    ("SELECT a % 2 AS x, count(*) AS n FROM t GROUP BY a % 3", 1, 0, "a must be in GROUP BY", ""),
    ("SELECT a FROM t GROUP BY a\nHAVING b > 1", 2, 0, "b must be in GROUP BY", ""),
    ("SELECT a FROM t GROUP BY a ORDER BY b", 1, 0, "b must be in GROUP BY", ""),
    ("SELECT a FROM t WHERE sum(a) > 1", 1, 0, "sum() in WHERE", "HAVING"),
    ("SELECT sum(sum(a)) AS x FROM t", 1, 0, "sum() of an aggregate", "inner SELECT"),
    ("SELECT sum(row_number() OVER ()) AS x FROM t", 1, 0, "sum() of an aggregate or window", ""),
    ("SELECT a FROM t WHERE row_number() OVER () = 1", 1, 0, "a window function in WHERE", "inner SELECT"),
    ("SELECT lag(a) AS x FROM t", 1, 0, "needs OVER", ""),
    ("SELECT lag(a, -1) OVER (ORDER BY a) AS x FROM t", 1, 0, "negative offset", "lead()"),
    ("SELECT a, (SELECT e FROM u WHERE u.a = t.a ORDER BY e LIMIT 1) AS x FROM t", 1, 0, "correlated", "max_by"),
    ("SELECT max_by(a, b, 2) AS x FROM t", 1, 0, "give an array", "max_by(x, y)"),
    ("SELECT lpad(c, 20) AS x FROM t", 1, 0, "three arguments", "lpad(x, 20, ' ')"),
    ("SELECT lpad(c, 20, '') AS x FROM t", 1, 0, "not empty", ""),
    ("SELECT replace(c, '', 'z') AS x FROM t", 1, 0, "empty text", ""),
    ("SELECT substr(c, 2, -1) AS x FROM t", 1, 0, "negative length", ""),
    ("SELECT format('x') AS x FROM t", 1, 0, "at least one value", ""),
    ("SELECT CAST('2024-01-01 24:00:00' AS timestamp) AS x FROM t", 1, 0, "as timestamp", "23:59:59"),
    ("SELECT a, NULL AS x FROM t", 1, 0, "column x has no type", "CAST(NULL AS varchar) AS x"),
]


@pytest.mark.parametrize(("select", "line", "column", "said", "remedy"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_athena_refuses_synth_refuses_with_place_and_remedy(
    select: str, line: int, column: int, said: str, remedy: str
) -> None:
    with pytest.raises(ContractError) as failure:
        mart(select)
    assert said in failure.value.message
    assert remedy in failure.value.remedy
    at = failure.value.place
    assert at in (f"line {FIRST + line - 1}, column {column}", f"line {FIRST + line - 1}" * (not column))


@pytest.mark.parametrize(
    "select",
    [
        'SELECT "group", t."group" AS "end" FROM t',
        "SELECT a FROM t ORDER BY a OFFSET 2 LIMIT 3",
        "SELECT DISTINCT a + 1 AS x FROM t ORDER BY a + 1",
        "SELECT DISTINCT a AS x FROM t ORDER BY x",
        "SELECT a % 2 AS x, count(*) AS n FROM t GROUP BY a % 2 HAVING count(*) > 1 ORDER BY count(*), a % 2",
        "SELECT a % 2 AS x, sum(count(*)) OVER () AS n FROM t GROUP BY 1",
        "SELECT (SELECT max(u.e) FROM u WHERE u.a = t.a) AS x FROM t",
        "SELECT a, b, count(*) AS n FROM t GROUP BY ROLLUP (a, b)",
        "SELECT t.a, (SELECT count(*) FROM u WHERE u.a = t.a) AS n FROM t GROUP BY t.a",
        "SELECT a FROM t GROUP BY a HAVING max(b) > 1 AND a > 2",
        "SELECT max(a) AS first_a, 1 AS one FROM t HAVING count(*) > 0",
        "SELECT at + INTERVAL '14' DAY AS x FROM t",
        "SELECT CASE WHEN a > 1 THEN NULL ELSE b END AS x FROM t",
    ],
)
def test_what_athena_takes_passes(select: str) -> None:
    assert mart(select).columns
