"""The curated and the rejects table of a dataset: created once, looked up ever after. `evolve` fits them to a contract.

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
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.transforms import parse_transform
from pyiceberg.types import NestedField

from sluice.contract.plan import PROVENANCE, REJECTS, Plan
from sluice.errors import ContractError, TransientError
from sluice.lake.catalog import is_transient
from sluice.lake.evolve import COLUMNS, CONTRACT, column_ids, evolve
from sluice.lake.marks import TableState, table_state
from sluice.locations import table_location

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.table import Table

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
    """Column name to Iceberg field id, of both tables of a dataset. The kernel writes them into its files.

    `state` is how the tables stood when the ids were read.
    """

    curated: Mapping[str, int]
    rejects: Mapping[str, int]
    state: TableState = field(default_factory=TableState)


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
    return FieldIds(
        curated=_ids(tables[0], curated),
        rejects=_ids(tables[1], _undescribed(REJECTS)),
        state=table_state(tables[0].properties, tables[1].properties),
    )


def schema_of(columns: Sequence[tuple[str, str, str]]) -> Schema:
    """Build the Iceberg schema of (name, type, description) columns; all of them optional."""
    # Types in plans number their own fields from 1; in a table each field has a number of its own.
    return assign_fresh_schema_ids(Schema(*(_field(at, *column) for at, column in enumerate(columns, start=1))))


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
            if plan is None:
                return _widened(table, schema)
            _check_partition(table, schema, spec, plan)
            return evolve(table, plan, schema, properties=bounds)
        except NoSuchTableError:
            try:
                return catalog.create_table(
                    identifier,
                    schema,
                    location=table_location(lake_bucket, identifier[1]),
                    partition_spec=spec,
                    properties={**_PROPERTIES, **bounds, **described, **_shaped(plan, schema)},
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


def _shaped(plan: Plan | None, schema: Schema) -> Mapping[str, str]:
    """The properties of a new table by which `evolve` knows it again."""
    if plan is None:
        return {}
    return {CONTRACT: plan.version, COLUMNS: column_ids(plan, {field.name: field.field_id for field in schema.fields})}


def _check_partition(table: Table, schema: Schema, spec: PartitionSpec, plan: Plan) -> None:
    names = {field.field_id: field.name for field in table.schema().fields}
    ids = json.loads(table.properties.get(COLUMNS, "{}"))
    renamed = {ids[column.id]: column.name for column in plan.columns if column.id in ids}
    have = [(renamed.get(part.source_id, names[part.source_id]), str(part.transform)) for part in table.spec().fields]
    want = [(schema.find_column_name(part.source_id), str(part.transform)) for part in spec.fields]
    if have != want:
        raise ContractError(
            f"table {'.'.join(table.name())} is partitioned by {have}, the contract says {want}",
            file=table.name()[-1],
            place="partitioned",
            remedy="keep the partitioning, or drop the table and `sluice replay` the dataset with --all",
        )


def _field(field_id: int, name: str, type_text: str, description: str) -> NestedField:
    parsed = json.loads(type_text) if type_text.startswith("{") else type_text
    return NestedField(field_id=field_id, name=name, field_type=parsed, required=False, doc=description or None)


def _ids(table: Table, columns: Sequence[tuple[str, str, str]]) -> Mapping[str, int]:
    """Field ids of the plan's columns, and of what is inside them by its path: `address.zip`, `tags.element`.

    A table may have more: those that the contract gave up.
    """
    schema = table.schema()
    ids = {path: number for number in schema.field_ids if (path := schema.find_column_name(number))}
    wanted = {name for name, *_ in columns}
    return {path: number for path, number in ids.items() if path.partition(".")[0] in wanted}


def _undescribed(columns: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str, str]]:
    return [(name, type_text, "") for name, type_text in columns]
