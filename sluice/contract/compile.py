"""A `Dataset` to a `Plan`: checks that the parts of the contract fit together and writes the SQL that the kernel runs.

Pure text work at synth. `odcs` decides on the content of a contract file, the kernel on the handling of rows.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

from sluice.contract.cells import cell_cast, value_cast
from sluice.contract.derive import derived_expression
from sluice.contract.filetypes import file_type
from sluice.contract.judging import object_checks, uniques
from sluice.contract.mistakes import mistake
from sluice.contract.model import Dataset, Property, Spelling
from sluice.contract.nested import is_nested, nested_cast, nested_rules, nested_type
from sluice.contract.plan import EXTRA, Column, PartitionField, Plan, Rule
from sluice.contract.protection import refuse_leaks
from sluice.contract.relations import relationships
from sluice.contract.rules import rules_of
from sluice.contract.selection import condition_rule
from sluice.contract.sql import cell_names
from sluice.contract.types import iceberg_type

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_DATASET = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TRANSFORM = re.compile(r"identity|year|month|day|hour|truncate\[([1-9][0-9]{0,8})\]")
_TRANSFORM_TYPES = {
    "year": {"date", "timestamp"},
    "month": {"date", "timestamp"},
    "day": {"date", "timestamp"},
    "hour": {"timestamp"},
    "truncate": {"string", "int", "long", "decimal"},
    "identity": {"string", "int", "long", "decimal", "boolean", "date", "timestamp"},
}
MAX_NAME = 128
MAX_COLUMNS = 4096  # as many as a file may have
MAX_DATASET = 50


def compile_plan(dataset: Dataset) -> Plan:
    """Compile a contract. Raises ContractError at the first part that does not fit."""
    _check_names(dataset)
    kinds = {item.name: nested_type(item) if is_nested(item) else iceberg_type(item) for item in dataset.properties}
    _check_nested(dataset, key := _in_order(dataset, "primaryKey"))
    _check_modes(dataset, key)
    _check_extra_column(dataset, kinds, key)
    cells = cell_names(_source(item, dataset) for item in dataset.properties if item.derived is None)
    columns = tuple(_column(item, kinds, key, dataset, cells) for item in dataset.properties)
    plan = Plan(
        dataset=dataset.name,
        version=dataset.version,
        mode=dataset.mode,
        on_delete=dataset.on_delete,
        primary_key=tuple(item.name for item in key),
        sequence_by=dataset.sequence_by,
        reading=dataset.reading,
        columns=tuple(column for column in columns if column.protect != "omit"),
        omitted=tuple(column for column in columns if column.protect == "omit"),
        read_order=_read_order(columns),
        rules=tuple(_rules(dataset, kinds, key)),
        unique=tuple(uniques(dataset, tuple(item.name for item in key))),
        checks=tuple(object_checks(dataset, kinds)),
        relationships=tuple(relationships(dataset)),
        partition=tuple(_partition(item, kinds[item.name]) for item in _in_order(dataset, "partition")),
        max_reject_share=dataset.max_reject_share,
        description=dataset.description,
        latency_seconds=dataset.latency_seconds,
        frequency_seconds=dataset.frequency_seconds,
        budget_usd=dataset.budget_usd,
        budget_action=dataset.budget_action,
        include=dataset.include,
        exclude=dataset.exclude,
    )
    refuse_leaks(dataset, plan)
    return plan


def _read_order(columns: tuple[Column, ...]) -> tuple[str, ...]:
    if all(column.protect != "omit" for column in columns):
        return ()
    return tuple(column.source for column in columns if column.source is not None)


def _check_names(dataset: Dataset) -> None:
    if not _DATASET.fullmatch(dataset.name) or len(dataset.name) > MAX_DATASET:
        raise dataset.source.error(
            f"the dataset is named {dataset.name!r}",
            f"use lower snake case, at most {MAX_DATASET} characters, no double underscore",
        )
    if not dataset.properties:
        raise dataset.source.error("the schema object has no properties", "write one property for each column")
    if len(dataset.properties) > MAX_COLUMNS:
        raise dataset.source.error(
            f"the schema object has {len(dataset.properties)} properties", f"at most {MAX_COLUMNS}: split the dataset"
        )
    names: set[str] = set()
    sources: set[str] = set()
    ids: set[str] = set()
    for item in dataset.properties:
        if not _NAME.fullmatch(item.name) or len(item.name) > MAX_NAME or item.name.startswith("_sluice"):
            raise item.source.error(
                f"the property is named {item.name!r}",
                f"use lower snake case, at most {MAX_NAME} characters, not beginning with _sluice; the name in the "
                "file goes into physicalName",
            )
        if item.name in names:
            raise item.source.error(f"the property {item.name} stands twice", "rename one")
        names.add(item.name)
        if item.id in ids:
            raise item.source.error(f"the id {item.id!r} stands at two properties", "give each its own, or none")
        ids |= {item.id} if item.id else set()
        source = item.in_file
        if source == EXTRA:
            raise item.source.error(f"property {item.name}: physicalName {EXTRA} is Sluice's own", "rename the column")
        if item.derived is None and source in sources:
            raise item.source.error(f"two properties read {source!r} from the file", "use transformLogic for one")
        sources.add(source)


def _in_order(dataset: Dataset, what: str) -> tuple[Property, ...]:
    """Key or partition columns by position; those without one follow in the order of the contract."""

    def position(item: Property) -> int | None:
        return item.key_position if what == "primaryKey" else item.partition_position

    chosen = [item for item in dataset.properties if position(item) is not None]
    given = [position(item) for item in chosen if position(item)]
    if len(given) != len(set(given)):
        raise dataset.source.error(f"two columns share one {what} position", "number them 1, 2, 3")
    return tuple(sorted(chosen, key=lambda item: position(item) or sys.maxsize))


def _check_modes(dataset: Dataset, key: tuple[Property, ...]) -> None:
    if dataset.mode == "merge" and not key:
        raise dataset.source.error("mode merge without a primary key", "set primaryKey: true on the key columns")
    if dataset.sequence_by is None:
        return
    if dataset.mode != "merge":
        raise dataset.source.error(f"sequenceBy has no effect in mode {dataset.mode}", "remove it, or use mode merge")
    if dataset.sequence_by not in {item.name for item in dataset.properties}:
        raise dataset.source.error(f"sequenceBy names {dataset.sequence_by!r}", "name one of the properties")


def _check_extra_column(dataset: Dataset, kinds: dict[str, str], key: tuple[Property, ...]) -> None:
    """Unknown columns are taken exactly where a text column waits for them."""
    name = dataset.extra_column
    if (dataset.reading.unknown_columns == "take") != (name is not None):
        raise dataset.source.error(
            "unknownColumns: take and extraColumn go together", "name the property that takes them, or remove both"
        )
    if name is None:
        return
    item = next((item for item in dataset.properties if item.name == name), None)
    if item is None:
        raise dataset.source.error(f"extraColumn names {name!r}", "name one of the properties")
    if kinds[name] != "string" or item.derived is not None or item.physical_name is not None or item in key:
        raise item.source.error(
            f"property {name} cannot take unknown columns",
            "use logicalType string without physicalName, transformLogic or primaryKey",
        )


def _source(item: Property, dataset: Dataset) -> str:
    return EXTRA if item.name == dataset.extra_column else item.in_file


def _column(
    item: Property, kinds: dict[str, str], key: tuple[Property, ...], dataset: Dataset, cells: Mapping[str, str]
) -> Column:
    kind = kinds[item.name]
    if item.spelling != Spelling() and not file_type(dataset.reading.format).has_spelling:
        raise item.source.error(
            f"property {item.name}: a spelling has no effect on files of format {dataset.reading.format}", "remove it"
        )
    explain = typed = ""
    if item.derived is not None:
        sources = frozenset(other.name for other in dataset.properties if other.derived is None)
        expression, expected = derived_expression(item, kind, sources), kind
        source = None
    else:
        source = _source(item, dataset)
        if is_nested(item):
            ignored = dataset.reading.unknown_columns != "reject"
            expression, explain = nested_cast(cells[source], item, ignore_unknown=ignored)
            expected = f"{item.logical_type} in JSON"
        else:
            expression, expected = cell_cast(item, cells[source], kind)
            typed = value_cast(item, cells[source], kind, form=dataset.reading.format)
            explain = mistake(item, kind)
    return Column(
        name=item.name,
        source=source,
        type=kind,
        cast=expression,
        typed_cast=typed if typed != expression else "",
        required=item.required or item in key,
        expected=expected,
        explain=explain,
        protect=item.protect,
        description=item.description,
        id=item.id,
    )


def _rules(dataset: Dataset, kinds: dict[str, str], key: tuple[Property, ...]) -> Iterator[Rule]:
    for item in dataset.properties:
        yield from rules_of(item, kinds[item.name], key=item in key)
        if is_nested(item):
            yield from nested_rules(item)
    sources = frozenset(item.name for item in dataset.properties if item.derived is None)
    if (kept := condition_rule(dataset, sources)) is not None:
        yield kept


def _check_nested(dataset: Dataset, key: tuple[Property, ...]) -> None:
    """Values that must be compared or computed are of simple types."""
    compared = {*(item.name for item in key), dataset.sequence_by}
    for item in dataset.properties:
        if is_nested(item) and (item.name in compared or item.unique or item.derived is not None):
            raise item.source.error(
                f"property {item.name}: an {item.logical_type} as key, unique, derived or sequenceBy",
                "use a simple type",
            )
        for inner in _within(item):
            if not _NAME.fullmatch(inner.name) or len(inner.name) > MAX_NAME:
                raise inner.source.error(
                    f"the property is named {inner.name!r}",
                    f"use lower snake case, at most {MAX_NAME} characters; the name in the file goes into physicalName",
                )


def _within(item: Property) -> Iterator[Property]:
    """All named properties inside a nested one."""
    names = [member.name for member in item.members]
    if twice := [name for name in names if names.count(name) > 1]:
        raise item.source.error(f"the property {twice[0]} stands twice", "rename one")
    for member in item.members:
        yield member
        yield from _within(member)
    if item.items is not None:
        yield from _within(item.items)


def _partition(item: Property, kind: str) -> PartitionField:
    transform = item.partition_transform
    if not _TRANSFORM.fullmatch(transform):
        raise item.source.error(
            f"partitionTransform is {transform!r}", "write identity, year, month, day, hour or truncate[n]"
        )
    family = transform.partition("[")[0]
    if kind.partition("(")[0] not in _TRANSFORM_TYPES[family]:
        raise item.source.error(
            f"a column of type {kind} cannot be partitioned by {transform}", "use another transform"
        )
    suffix = {"identity": "", "truncate": "_trunc"}.get(family, f"_{family}")
    return PartitionField(column=item.name, transform=transform, name=item.name + suffix)
