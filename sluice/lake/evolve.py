"""A table that exists made to fit a newer contract: columns renamed, widened, added, reordered, dropped. By field id.

Iceberg keeps old files as they are and reads them through the new schema, so old rows stay readable, and a snapshot of
before shows what it always showed. What no schema change can do (another type, another partitioning, a narrower type)
is refused here and takes a new table. Whether readers may be broken is decided at synth (`sluice.contract.evolution`).

Two things decide what is done, both properties of the table. `sluice.columns` tells which field an `id` of the contract
stands for: a rename is only what that proves. `sluice.contract` is the newest contract version that shaped the table: a
worker that still runs an older one (a run that was under way during a deployment) changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.exceptions import ResolveError
from pyiceberg.schema import promote
from pyiceberg.types import ListType, StructType

from sluice.errors import ContractError

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.types import IcebergType, NestedField

    from sluice.contract.plan import Plan

CONTRACT, COLUMNS = "sluice.contract", "sluice.columns"
_NUMBERS = re.compile(r"[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The changes that a schema needs. `rename` maps old names to names of the contract; `retype` has old names."""

    rename: Mapping[str, str]
    retype: Mapping[str, NestedField]
    add: Sequence[NestedField]
    drop: Sequence[str]
    order: Sequence[str]  # of all columns, when the rest is done

    @property
    def reshapes(self) -> bool:
        """Whether more than new columns at the end is asked for."""
        return bool(self.rename or self.retype or self.drop)


def evolve(table: Table, plan: Plan, schema: Schema, *, properties: Mapping[str, str]) -> Table:
    """Make the table fit `schema`, which is the plan's with provenance, in one commit. Repeating it changes nothing.

    Raises ContractError where no change of schema can do it, or where the plan is older than the table.
    """
    recorded, version = _version(table.properties.get(CONTRACT, "")), _version(plan.version)
    if version < recorded:
        return _unchanged(table, plan, schema)
    steps = plan_steps(table, plan, schema, drops=bool(recorded) and version[:1] > recorded[:1])
    wanted = {**properties, CONTRACT: plan.version}
    in_order = [field.name for field in table.schema().fields] == list(steps.order)
    if in_order and not steps.reshapes and not steps.add and wanted.items() <= table.properties.items():
        return table
    with table.transaction() as transaction:
        with transaction.update_schema() as update:
            for name, field in steps.retype.items():
                update.update_column(name, field_type=field.field_type, doc=field.doc)
            for old, new in steps.rename.items():
                update.rename_column(old, new)
            for name in steps.drop:
                update.delete_column(name)
            for field in steps.add:
                update.add_column(field.name, field.field_type, doc=field.doc)
        if not in_order:
            with transaction.update_schema() as update:
                update.move_first(steps.order[0])
                for before, name in zip(steps.order, steps.order[1:], strict=False):
                    update.move_after(name, before)
        ids = {field.name: field.field_id for field in transaction.table_metadata.schema().fields}
        transaction.set_properties({**wanted, COLUMNS: column_ids(plan, ids)})
    return table


def _unchanged(table: Table, plan: Plan, schema: Schema) -> Table:
    """The table as it is, for a plan that is older than its shape, if it still has all that the plan writes."""
    have = {field.name: field.field_type for field in table.schema().fields}
    if any(shape_of(have.get(field.name)) != shape_of(field.field_type) for field in schema.fields):
        raise ContractError(
            f"contract {plan.version} is older than {table.properties[CONTRACT]}, which shaped the table",
            file=table.name()[-1],
            place="version",
            remedy="deploy the newer contract, or give this one a higher version",
        )
    return table


def shape_of(kind: IcebergType | None) -> object:
    """A type without the ids of its fields, for comparing."""
    match kind:
        case StructType():
            return [(field.name, shape_of(field.field_type)) for field in kind.fields]
        case ListType():
            return [shape_of(kind.element_type)]
        case _:
            return kind


def column_ids(plan: Plan, ids: Mapping[str, int]) -> str:
    """The property `sluice.columns`: field ids by the contract's ids of properties, as JSON."""
    return json.dumps({column.id: ids[column.name] for column in plan.columns if column.id}, sort_keys=True)


def plan_steps(table: Table, plan: Plan, schema: Schema, *, drops: bool) -> Steps:
    """Compare a table with the schema that a plan wants. Raises ContractError for a type that cannot become another."""
    have = table.schema()
    rename = _renames(table, plan)
    now = {rename.get(field.name, field.name): field for field in have.fields}
    wanted = [field.name for field in schema.fields]
    left = [name for name in now if name not in set(wanted)]
    retype = {
        now[field.name].name: field
        for field in schema.fields
        if field.name in now and _must_widen(table, now[field.name], field)
    }
    return Steps(
        rename=rename,
        retype=retype,
        add=[field for field in schema.fields if field.name not in now],
        drop=[now[name].name for name in left] if drops else [],
        order=[*wanted, *(() if drops else left)],
    )


def _renames(table: Table, plan: Plan) -> Mapping[str, str]:
    """Columns that go by another name now: the contract's id of the property is the proof."""
    known: Mapping[str, int] = json.loads(table.properties.get(COLUMNS, "{}"))
    names = {field.field_id: field.name for field in table.schema().fields}
    before = {column.name: names.get(known.get(column.id or "", -1), column.name) for column in plan.columns}
    found = {old: new for new, old in before.items() if old != new}
    taken = {name for name in names.values() if name not in found} & set(found.values())
    if taken:
        raise ContractError(
            f"column {min(taken)} is to be the name of another column; table {table.name()[-1]} has one of that name",
            file=table.name()[-1],
            place=f"column {min(taken)}",
            remedy="choose a name that the table never had",
        )
    return found


def _must_widen(table: Table, have: NestedField, want: NestedField) -> bool:
    if have.field_type == want.field_type:
        return False
    if shape_of(have.field_type) == shape_of(want.field_type):
        return False  # nested types differ in the ids that the table gave to their fields
    try:
        promote(have.field_type, want.field_type)
    except ResolveError as error:
        raise ContractError(
            f"column {want.name} is {have.field_type} in table {table.name()[-1]}, the contract says {want.field_type}",
            file=table.name()[-1],
            place=f"column {want.name}",
            remedy="give the column a new name, or drop the table and `sluice replay` the dataset with --all",
        ) from error
    return True


def _version(text: str) -> tuple[int, ...]:
    """The numbers of a contract version, for comparing: 1.10.0 comes after 1.9.0."""
    return tuple(int(number) for number in _NUMBERS.findall(text))
