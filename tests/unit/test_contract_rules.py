"""Each rule of a contract is broken by exactly the values outside it, and refused where it cannot hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pytest
from pyiceberg.transforms import TruncateTransform
from pyiceberg.types import LongType

from sluice.contract.compile import compile_plan
from sluice.contract.model import Dataset, Limit, Options, Position, Property, QualityCheck
from sluice.contract.patterns import check_pattern
from sluice.contract.plan import Plan, Rule
from sluice.contract.sql import literal, quote
from sluice.contract.types import decimal_parts, duckdb_type
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


def rule(item: Property, name: str) -> Rule:
    (found,) = [made for made in compiled(item).rules if made.name == name]
    assert found.column == item.name
    return found


def breaks(made: Rule, kind: str, texts: list[str | None]) -> list[str | None]:
    """Those of the values that break the rule."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT text FROM (SELECT text, CAST(text AS {duckdb_type(kind)}) AS {quote(made.column or '')}"
            f" FROM (SELECT unnest(CAST($1 AS VARCHAR[])) AS text)) WHERE ({made.predicate}) IS FALSE",
            [texts],
        ).fetchall()
    return [text for (text,) in rows]


@pytest.mark.parametrize(
    ("item", "name", "kind", "good", "bad"),
    [
        (column("a", required=True), "required", "string", ["", "x"], [None]),
        (column("a", "integer", options=Options(minimum=-3)), "minimum", "int", ["-3", "4", None], ["-4"]),
        (column("a", "integer", options=Options(exclusive_minimum=3)), "exclusiveMinimum", "int", ["4", None], ["3"]),
        (
            column("a", "number", "decimal(9,2)", options=Options(maximum=Decimal("0.1"))),
            "maximum",
            "decimal(9,2)",
            ["0.10", "-5", None],
            ["0.11"],
        ),
        (
            column("a", "number", options=Options(exclusive_maximum=Decimal("0.3"))),
            "exclusiveMaximum",
            "double",
            ["0.29", None],
            ["0.3", "0.30000000000000004"],
        ),
        (
            column("a", "date", options=Options(minimum="2024-02-29")),
            "minimum",
            "date",
            ["2024-02-29", None],
            ["2024-02-28"],
        ),
        (
            column("a", "timestamp", options=Options(exclusive_maximum="2014-01-01T00:00:00-05:00")),
            "exclusiveMaximum",
            "timestamp",
            ["2014-01-01 04:59:59.999999", None],
            ["2014-01-01 05:00:00"],
        ),
        (column("a", "integer", options=Options(multiple_of=10)), "multipleOf", "int", ["0", "-20", None], ["15"]),
        (
            column("a", "number", "decimal(9,2)", options=Options(multiple_of=Decimal("0.05"))),
            "multipleOf",
            "decimal(9,2)",
            ["0.15", "-1.05", None],
            ["0.16"],
        ),
        (
            column("a", options=Options(min_length=2)),
            "minLength",
            "string",
            ["ab", "\u00e4\u00f6", None],
            ["a", "\u00e4", ""],
        ),
        (column("a", options=Options(max_length=2)), "maxLength", "string", ["", "\u4e2d\u6587", None], ["abc"]),
        (
            column("a", options=Options(pattern="^[A-Z]{3}$")),
            "pattern",
            "string",
            ["ABC", None],
            ["AB", "ABCD", "ABC\n", ""],
        ),
        (column("a", options=Options(pattern="b")), "pattern", "string", ["abc", None], ["ac"]),
        (column("a", options=Options(pattern="it's")), "pattern", "string", ["it's", None], ["its"]),
        (
            column("a", options=Options(format="uuid")),
            "format",
            "string",
            ["8d1f6f0e-3a4b-4c5d-8e9f-001122334455"],
            ["8d1f6f0e"],
        ),
        (
            column("a", options=Options(format="email")),
            "format",
            "string",
            ["a@b.co", None],
            ["a@b", "a b@c.de", "@b.co"],
        ),
        (
            column("a", options=Options(format="ipv4")),
            "format",
            "string",
            ["10.0.255.1"],
            ["256.0.0.1", "1.2.3", "1.2.3.4.5"],
        ),
        (column("a", options=Options(format="hostname")), "format", "string", ["a-b.example"], ["-a", "a..b", "a_b"]),
        (
            column("a", options=Options(format="uri")),
            "format",
            "string",
            ["s3://a/b", "mailto:x@y.z"],
            ["/a/b", "a b:c"],
        ),
        (column("a", "integer", options=Options(format="u8")), "format", "int", ["0", "255", None], ["-1", "256"]),
        (column("a", enum=("it's", '"', "")), "enum", "string", ["it's", '"', "", None], ["its", "x"]),
        (column("a", "integer", enum=(1, -2)), "enum", "int", ["1", "-2", None], ["2"]),
        (column("a", "boolean", enum=(True,)), "enum", "boolean", ["true", None], ["false"]),
    ],
)
def test_a_rule_is_broken_by_exactly_the_values_outside_it(
    item: Property, name: str, kind: str, good: list[str | None], bad: list[str | None]
) -> None:
    assert breaks(rule(item, name), kind, [*good, *bad]) == bad


def test_quality_checks_keep_their_severity() -> None:
    none = Limit(operator="mustBe", bounds=(0,))
    checks = (
        QualityCheck(kind="invalidValues", limit=none, values=("a", "b"), severity="warn", source=SOURCE),
        QualityCheck(kind="invalidValues", limit=none, pattern="^a", severity="stop", source=SOURCE),
        QualityCheck(kind="missingValues", limit=none, values=("?",), source=SOURCE),
        QualityCheck(kind="nullValues", limit=none, severity="warn", source=SOURCE),
    )
    made = compiled(column("a", checks=checks)).rules
    assert [(item.name, item.severity) for item in made] == [
        ("enum", "warn"),
        ("pattern", "stop"),
        ("missingValues", "reject"),
        ("required", "warn"),
    ]
    assert breaks(made[2], "string", ["a", "?", None]) == ["?", None]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (column("a", options=Options(minimum=1)), "minimum does not apply to string"),
        (column("a", "integer", options=Options(minimum="1")), "'1' is no value of type int"),
        (column("a", "integer", options=Options(maximum=True)), "True is no value of type int"),
        (column("a", "date", options=Options(minimum="2024-02-30")), "'2024-02-30' is no date"),
        (column("a", "integer", options=Options(pattern="x")), "pattern does not apply to int"),
        (column("a", "integer", options=Options(max_length=3)), "maxLength does not apply to int"),
        (column("a", options=Options(max_length=-3)), "maxLength is -3"),
        (column("a", "number", options=Options(multiple_of=2)), "no exact meaning for double"),
        (column("a", "integer", options=Options(multiple_of=0)), "multipleOf is 0"),
        (column("a", enum=(1, 2)), "1 is no value of type string"),
        (column("a", "integer", enum=("x",)), "'x' is no value of type int"),
        (column("a", options=Options(format="iban")), "format 'iban' is not checked"),
        (column("a", options=Options(pattern="(?=x)")), "looks ahead"),
        (column("a", "timestamp", options=Options(format="YYYY-MM-dd")), "format 'YYYY-MM-dd'"),
        (column("a", "time", options=Options(default_timezone="Europe/Paris")), "defaultTimezone has no meaning"),
    ],
)
def test_a_rule_that_cannot_hold_for_the_type_is_refused(item: Property, message: str) -> None:
    assert message in refusal(item)


@pytest.mark.parametrize(
    "pattern",
    ["^[0-9A-Z]{2}$", r"\d+\.\d*", "[a+]+", "(?:ab)+?", r"\+\+", "[(?=]", "a{1000}", r"\\u", "\u00e4", "[[a]"],
)
def test_a_pattern_that_both_languages_read_alike_passes(pattern: str) -> None:
    check_pattern(pattern)
    with duckdb.connect() as connection:
        connection.execute(f"SELECT regexp_matches('x', {literal(pattern)})")


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?<!a)b",
        r"(a)\1",
        "(?P<n>a)(?P=n)",
        "(?i)a",
        r"\u00e4",
        r"\cA",
        "a++",
        "a{1001}",
        "*a",
        "[[:alpha:]]",
        "[^x[:digit:]]",
    ],
)
def test_a_pattern_that_the_kernel_would_read_otherwise_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="it "):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("logical", "physical", "kind", "fits", "does_not"),
    [
        ("integer", "int", "int", "-2147483640", "-2147483641"),
        ("integer", "bigint", "long", "-9223372036854775800", "-9223372036854775801"),
        ("number", "decimal(4,2)", "decimal(4,2)", "-99.90", "-99.91"),
    ],
)
def test_number_that_truncate_would_round_below_its_type_breaks_a_rule(
    logical: str, physical: str, kind: str, fits: str, does_not: str
) -> None:
    """The smallest numbers stopped their dataset: the file was written, and no table could take it."""
    item = column("a", logical, physical, partition_position=1, partition_transform="truncate[10]")
    assert breaks(rule(item, "minimum"), kind, [fits, does_not, "1", None]) == [does_not]
    # pyiceberg says the same of these two: it partitions the one and has no place for the other's partition.
    parts = decimal_parts(kind)
    smallest = 1 - 10 ** parts[0] if parts else -(1 << (31 if kind == "int" else 63))
    for text, is_held in ((fits, True), (does_not, False)):
        unscaled = int(Decimal(text).scaleb(parts[1] if parts else 0))
        truncated = TruncateTransform(10).transform(LongType())(unscaled)
        assert truncated is not None
        assert (truncated >= smallest) is is_held
