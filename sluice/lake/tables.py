"""The curated and the rejects table of a dataset: created once, looked up ever after, widened when a contract grows.

Rows are put into them by `publish.py` only. Columns are optional throughout: the contract enforces `required`, and
DuckDB writes optional columns, which Iceberg refuses for required fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchTableError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform
from pyiceberg.types import NestedField

from sluice.contract.plan import PROVENANCE, REJECTS, Plan
from sluice.errors import ContractError, TransientError
from sluice.lake.catalog import is_transient
from sluice.lake.locations import table_location
from sluice.lake.marks import Standing, standing

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.table import Table
    from pyiceberg.types import IcebergType

_ATTEMPTS = 5
_FIRST_PARTITION_ID = 1000  # Iceberg's convention
_PROPERTIES = {
    "format-version": "2",
    # For other writers. Ours does not depend on it (`catalog.py`).
    "commit.retry.num-retries": "0",
    "write.parquet.compression-codec": "zstd",
}


@dataclass(frozen=True, kw_only=True)
class FieldIds:
    """Column name to Iceberg field id, of both tables of a dataset: what the kernel writes into its files.

    `standing` is how the tables stood when the ids were read.
    """

    curated: Mapping[str, int]
    rejects: Mapping[str, int]
    standing: Standing = field(default_factory=Standing)


def ensure(catalog: GlueCatalog, plan: Plan, *, database: str, lake_bucket: str) -> FieldIds:
    """Make both tables exist with at least the columns of the plan. Safe beside itself.

    Raises ContractError where the table that exists contradicts the plan.
    """
    curated = [*((column.name, column.type, column.description) for column in plan.columns), *_undescribed(PROVENANCE)]
    tables = [
        _ensure(
            catalog, (database, plan.dataset), lake_bucket, curated, plan, exact=("_sluice_object", *plan.primary_key)
        ),
        _ensure(catalog, (database, plan.rejects_table), lake_bucket, _undescribed(REJECTS), None, exact=("object",)),
    ]
    stand = standing(tables[0].properties, tables[1].properties)
    return FieldIds(curated=_ids(tables[0]), rejects=_ids(tables[1]), standing=stand)


def schema_of(columns: Sequence[tuple[str, str, str]]) -> Schema:
    """Build the Iceberg schema of (name, type, description) columns; all of them optional."""
    return Schema(*(_field(at, *column) for at, column in enumerate(columns, start=1)))


def partition_of(plan: Plan, schema: Schema) -> PartitionSpec:
    """Build the Iceberg partition spec of a plan over a schema that has its columns."""
    return PartitionSpec(
        *(
            PartitionField(
                source_id=schema.find_field(part.column).field_id,
                field_id=_FIRST_PARTITION_ID + at,
                transform=parse_transform(part.transform),
                name=part.name,
            )
            for at, part in enumerate(plan.partition)
        )
    )


def _ensure(
    catalog: GlueCatalog,
    identifier: tuple[str, str],
    lake_bucket: str,
    columns: Sequence[tuple[str, str, str]],
    plan: Plan | None,
    *,
    exact: Sequence[str],
) -> Table:
    schema = schema_of(columns)
    spec = partition_of(plan, schema) if plan else PartitionSpec()
    # Finding the files that may hold an object or a key needs whole bounds, not their first 16 characters.
    bounds = {f"write.metadata.metrics.column.{name}": "full" for name in exact}
    described = {"Description": plan.description} if plan and plan.description else {}
    for _ in range(_ATTEMPTS):
        try:
            table = catalog.load_table(identifier)
            _check(table, schema, spec)
            return _widened(table, schema)
        except NoSuchTableError:
            try:
                return catalog.create_table(
                    identifier,
                    schema,
                    location=table_location(lake_bucket, identifier[1]),
                    partition_spec=spec,
                    properties={**_PROPERTIES, **bounds, **described},
                )
            except TableAlreadyExistsError:
                continue
            except Exception as error:
                if not is_transient(error):
                    raise
        except Exception as error:
            if not is_transient(error):
                raise
    raise TransientError(f"table {'.'.join(identifier)}: neither found nor created in {_ATTEMPTS} attempts")


def _widened(table: Table, schema: Schema) -> Table:
    missing = [column for column in schema.fields if column.name not in table.schema().column_names]
    if missing:
        with table.transaction() as transaction, transaction.update_schema() as update:
            for column in missing:
                update.add_column(column.name, column.field_type, doc=column.doc)
    return table


def _check(table: Table, schema: Schema, spec: PartitionSpec) -> None:
    name = ".".join(table.name())
    have = {column.name: column.field_type for column in table.schema().fields}
    for column in schema.fields:
        if column.name in have and not _same_type(have[column.name], column.field_type):
            raise ContractError(
                f"column {column.name} is {have[column.name]} in table {name}, the contract says {column.field_type}",
                file=table.name()[-1],
                place=f"column {column.name}",
                remedy="give the column a new name, or rebuild the table",
            )
    partitions = [
        [(part.name, str(part.transform), where.find_column_name(part.source_id)) for part in of.fields]
        for of, where in ((table.spec(), table.schema()), (spec, schema))
    ]
    if partitions[0] != partitions[1]:
        raise ContractError(
            f"table {name} is partitioned by {partitions[0]}, the contract says {partitions[1]}",
            file=table.name()[-1],
            place="partitioned",
            remedy="keep the partitioning, or rebuild the table",
        )


def _same_type(one: IcebergType, other: IcebergType) -> bool:
    # Nested types differ in the ids that the table gave to their fields.
    return one == other or not (one.is_primitive or other.is_primitive)


def _field(field_id: int, name: str, type_text: str, description: str) -> NestedField:
    parsed = json.loads(type_text) if type_text.startswith("{") else type_text
    return NestedField(field_id=field_id, name=name, field_type=parsed, required=False, doc=description or None)


def _ids(table: Table) -> Mapping[str, int]:
    return {column.name: column.field_id for column in table.schema().fields}


def _undescribed(columns: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str, str]]:
    return [(name, type_text, "") for name, type_text in columns]
