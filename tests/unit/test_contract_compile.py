"""Types, keys, partitions and names: what the parts of a contract become in a plan."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.contract.compile import compile_plan
from sluice.contract.model import Dataset, Options, Position, Property
from sluice.contract.plan import PartitionField, Plan
from sluice.contract.types import iceberg_type
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


@pytest.mark.parametrize(
    ("logical", "physical", "form", "kind"),
    [
        ("string", "varchar(10)", None, "string"),
        ("integer", None, None, "int"),
        ("integer", "BIGINT", None, "long"),
        ("integer", "bigint", "i32", "int"),
        ("integer", None, "i64", "long"),
        ("integer", None, "u32", "long"),
        ("integer", "decimal(12,0)", None, "decimal(12,0)"),
        ("integer", "VARCHAR(9)", None, "int"),
        ("number", None, None, "double"),
        ("number", "decimal( 6 , 1 )", None, "decimal(6,1)"),
        ("number", "NUMERIC(9)", None, "decimal(9,0)"),
        ("number", "double precision", None, "double"),
        ("number", None, "f32", "float"),
        ("number", "int", None, "int"),
        ("boolean", None, None, "boolean"),
        ("date", None, None, "date"),
        ("timestamp", "TIMESTAMP_NTZ", None, "timestamp"),
        ("time", None, None, "time"),
        (None, "timestamptz", None, "timestamp"),
        (None, "varchar(18)", None, "string"),
        (None, "varchar[18]", None, "string"),
        (None, "character(3)", None, "string"),
        ("date", "timestamp without time zone", None, "timestamp"),
        ("date", "timestamp(3) with time zone", None, "timestamp"),
        ("date", "datetime2", None, "timestamp"),
        ("date", "time(6) without time zone", None, "time"),
        ("number", "money", None, "decimal(19,4)"),
        ("number", "dec(10,2)", None, "decimal(10,2)"),
        ("number", "numeric[19,4]", None, "decimal(19,4)"),
        ("number", "float(24)", None, "float"),
        ("number", "float(53)", None, "double"),
        ("integer", "serial8", None, "long"),
        ("string", "numeric", None, "string"),
    ],
)
def test_logical_and_physical_type_give_the_iceberg_type(
    logical: str | None, physical: str | None, form: str | None, kind: str
) -> None:
    assert iceberg_type(column("a", logical, physical, options=Options(format=form))) == kind


@pytest.mark.parametrize(
    ("logical", "physical", "form", "message"),
    [
        ("integer", None, "u64", "format 'u64'"),
        ("integer", "decimal(5,2)", None, "logicalType integer with physicalType"),
        ("number", "decimal", None, "without precision"),
        ("number", "numeric(5,-2)", None, "without precision"),
        ("integer", "numeric", None, "without precision"),
        (None, "dec", None, "without precision"),
        ("number", "decimal(39,2)", None, "out of range"),
        ("number", "decimal(2,3)", None, "out of range"),
        ("number", None, "i32", "format 'i32'"),
        (None, "geography", None, "no logicalType"),
        ("map", None, None, "'map' is not supported"),
    ],
)
def test_a_type_left_open_is_refused(logical: str | None, physical: str | None, form: str | None, message: str) -> None:
    assert message in refusal(column("a", logical, physical, options=Options(format=form)))


@pytest.mark.parametrize("name", ["Order", "order id", "1st", "a" * 129, "_sluice_row", "a-b", "", 'a"b', "\u00e4"])
def test_a_column_name_that_is_not_plain_is_refused(name: str) -> None:
    assert "the property is named" in refusal(column(name))


@pytest.mark.parametrize("name", ["Orders", "a__b", "_a", "a_", "1a", "a" * 51, "a/b", "", "a b"])
def test_a_dataset_name_that_is_not_plain_is_refused(name: str) -> None:
    assert "the dataset is named" in refusal(column("a"), name=name)


def test_a_header_with_quotes_stays_inside_its_quotes() -> None:
    header = "a\" FROM read_text('/etc/passwd') --"
    assert compiled(column("a", physical_name=header)).columns[0].cast == '"a"" FROM read_text(\'/etc/passwd\') --"'


def test_two_columns_cannot_share_a_name_or_a_header() -> None:
    assert "stands twice" in refusal(column("a"), column("a", physical_name="b"))
    assert "two properties read 'a'" in refusal(column("a"), column("b", physical_name="a"))


def test_the_key_follows_its_positions_and_is_required() -> None:
    made = compiled(column("a", key_position=2), column("b"), column("c", key_position=1), column("d", key_position=0))
    assert made.primary_key == ("c", "a", "d")
    assert [item.name for item in made.columns if item.required] == ["a", "c", "d"]
    assert [item.column for item in made.rules] == ["a", "c", "d"]
    assert "share one primaryKey position" in refusal(column("a", key_position=1), column("b", key_position=1))


def test_partition_fields_follow_their_positions() -> None:
    made = compiled(
        column("a", partition_position=3, partition_transform="truncate[4]"),
        column("b", "timestamp", partition_position=1, partition_transform="month"),
        column("c", "date", partition_position=2),
    )
    assert made.partition == (
        PartitionField(column="b", transform="month", name="b_month"),
        PartitionField(column="c", transform="identity", name="c"),
        PartitionField(column="a", transform="truncate[4]", name="a_trunc"),
    )


@pytest.mark.parametrize(
    ("logical", "transform", "message"),
    [
        ("string", "month", "cannot be partitioned by month"),
        ("date", "hour", "cannot be partitioned by hour"),
        ("number", "identity", "cannot be partitioned by identity"),
        ("string", "bucket[16]", "partitionTransform is 'bucket[16]'"),
        ("string", "truncate[0]", "partitionTransform is"),
        ("string", "void", "partitionTransform is"),
    ],
)
def test_a_transform_that_does_not_suit_the_type_is_refused(logical: str, transform: str, message: str) -> None:
    assert message in refusal(column("a", logical, partition_position=1, partition_transform=transform))
