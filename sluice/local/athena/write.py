"""Changes by the offline Athena: CREATE TABLE AS makes a real Iceberg table, views and drops change the catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import parquet_file_to_data_file, schema_to_pyarrow
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform
from pyiceberg.types import NestedField

from sluice.warehouse.analyse import Columns
from sluice.warehouse.query import QueryError

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog

_MOST_PARTITIONS = 100  # of one CTAS in Athena
_OPTIONS = frozenset({"table_type", "is_external", "location", "format", "partitioning", "write_compression"})
_FIRST_PARTITION_ID = 1000
_TO_ICEBERG = {"integer": "int", "bigint": "long", "real": "float", "varchar": "string"}
_BUCKETS = {"year": "year({0})", "month": "year({0}) * 12 + month({0})", "day": "CAST({0} AS DATE)",
            "hour": "date_trunc('hour', {0})"}  # fmt: skip


def create_table(
    catalog: GlueCatalog,
    s3: Any,
    *,
    name: tuple[str, str],
    options: Mapping[str, Any],
    columns: Columns,
    rows: pa.Table,
) -> None:
    """Create an Iceberg table that appears with all its rows. Raises QueryError."""
    location = _check(options, columns)
    if catalog.table_exists(name):
        raise QueryError(f"TABLE_ALREADY_EXISTS: {'.'.join(name)}")
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    if s3.list_objects_v2(Bucket=bucket, Prefix=prefix + "/", MaxKeys=1).get("KeyCount"):
        raise QueryError(f"ICEBERG_FILESYSTEM_ERROR: cannot create a table on a non-empty location: {location}")
    schema = Schema(
        *(
            NestedField(place, column, _TO_ICEBERG.get(kind, kind), required=False)
            for place, (column, kind) in enumerate(columns, start=1)
        )
    )
    spec = _spec(options.get("partitioning", ()), schema)
    try:
        transaction = catalog.create_table_transaction(
            name, schema, location=location, partition_spec=spec, properties={"write.format.default": "parquet"}
        )
        shape = schema_to_pyarrow(schema)
        with transaction.update_snapshot().fast_append() as append:
            for place, part in enumerate(_parts(rows.cast(shape), options.get("partitioning", ()))):
                address = f"{location}/data/{place:05d}.parquet"
                with transaction._table.io.new_output(address).create() as file:  # noqa: SLF001  (no public way)
                    pq.write_table(part, file, compression="zstd")
                append.append_data_file(
                    parquet_file_to_data_file(transaction._table.io, transaction.table_metadata, address)  # noqa: SLF001
                )
        transaction.commit_transaction()
    except CommitFailedException as error:
        raise QueryError(f"TABLE_ALREADY_EXISTS: {'.'.join(name)}") from error


def _check(options: Mapping[str, Any], columns: Columns) -> str:
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise QueryError(f"table property {unknown[0]} is not known to the offline Athena")
    if str(options.get("table_type", "")).upper() != "ICEBERG" or options.get("is_external") is not False:
        raise QueryError(
            "CREATE TABLE AS makes Iceberg tables only", remedy="table_type = 'ICEBERG', is_external = false"
        )
    if str(options.get("format", "PARQUET")).upper() != "PARQUET":
        raise QueryError("CREATE TABLE AS writes Parquet only", remedy="format = 'PARQUET'")
    location = str(options.get("location", "")).rstrip("/")
    if not location.startswith("s3://"):
        raise QueryError("an Iceberg table needs a location", remedy="location = 's3://bucket/prefix'")
    names = [name for name, _ in columns]
    for name in names:
        if name.startswith("_col"):
            raise QueryError(f"MISSING_COLUMN_NAME: column {int(name[4:]) + 1} of the SELECT has no name", remedy="AS")
        if names.count(name) > 1:
            raise QueryError(f"DUPLICATE_COLUMN_NAME: column {name} is there twice")
    return location


def _spec(partitioning: Sequence[str], schema: Schema) -> PartitionSpec:
    fields = []
    for place, entry in enumerate(partitioning):
        transform, column = _transform(entry)
        try:
            source = schema.find_field(column)
        except ValueError as error:
            raise QueryError(f"partitioning by {entry}: there is no column {column}") from error
        fields.append(
            PartitionField(
                source_id=source.field_id,
                field_id=_FIRST_PARTITION_ID + place,
                transform=parse_transform(transform),
                name=column if transform == "identity" else f"{column}_{transform}",
            )
        )
    return PartitionSpec(*fields)


def _transform(entry: str) -> tuple[str, str]:
    match = re.fullmatch(r"(?:(\w+)\()?(\w+)\)?", entry)
    if match is None or (match[1] and match[1].lower() not in _BUCKETS):
        raise QueryError(f"partitioning by {entry} is not known to the offline Athena", remedy="month(day)")
    return (match[1] or "identity").lower(), match[2].lower()


def _parts(rows: pa.Table, partitioning: Sequence[str]) -> Sequence[pa.Table]:
    """Split the rows so that each part holds one partition."""
    if rows.num_rows == 0:
        return []
    if not partitioning:
        return [rows]
    keys = ", ".join(
        column if transform == "identity" else _BUCKETS[transform].format(column)
        for transform, column in ((kind, f'"{name}"') for kind, name in map(_transform, partitioning))
    )
    with duckdb.connect() as connection:
        connection.register("result", rows)
        numbered = connection.execute(
            f"SELECT *, dense_rank() OVER (ORDER BY {keys}) AS _part FROM result"
        ).to_arrow_table()
    numbers = sorted(pc.unique(numbered.column("_part")).to_pylist())
    if len(numbers) > _MOST_PARTITIONS:
        raise QueryError(f"TOO_MANY_OPEN_PARTITIONS: {len(numbers)} partitions, Athena writes {_MOST_PARTITIONS}")
    return [
        numbered.filter(pc.equal(numbered.column("_part"), number)).drop_columns(["_part"]).cast(rows.schema)
        for number in numbers
    ]
