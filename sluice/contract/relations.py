"""Relationships: columns of a dataset that refer to columns of another one, as the standard's foreign keys say.

They reject nothing, because what they are about is in another table, which has its own times: whether all rows find
what they refer to is asked of the published tables (`sluice orphans`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sluice.contract.document import Document
from sluice.contract.model import Dataset, Reference
from sluice.contract.plan import Plan, Relationship
from sluice.contract.sql import quote

_SHORT = re.compile(r"([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)")


def read_references(items: Sequence[Any] | None, *, document: Document, path: str, own: str) -> tuple[Reference, ...]:
    """The relationships of a schema object, or of the property that is its own `from`."""
    found = []
    for position, item in enumerate(items or ()):
        here = document.at(f"{path}.relationships[{position}]")
        if item.type not in {None, "foreignKey"}:
            raise here.error(f"a relationship of type {item.type!r}", "write foreignKey")
        pairs = [_parts(name) for name in _listed(item.to)]
        said = [name.rpartition(".")[2] for name in _listed(item.from_)]
        if not pairs or None in pairs or len({dataset for dataset, _ in pairs if dataset}) != 1:
            raise here.error(f"it refers to {item.to!r}", "write <dataset>.<column>, or a list of them of one dataset")
        columns = tuple(said) or (own,)
        if len(columns) != len(pairs) or not all(columns):
            raise here.error(f"{len(columns)} columns refer to {len(pairs)}", "write `from` and `to` of one length")
        found.append(Reference(columns=columns, dataset=pairs[0][0], to=tuple(name for _, name in pairs), source=here))
    return tuple(found)


def relationships(dataset: Dataset) -> Iterator[Relationship]:
    """The relationships of the plan. Raises ContractError for columns that are not there to be compared."""
    items = {item.name: item for item in dataset.properties}
    for reference in (*dataset.references, *(one for item in dataset.properties for one in item.references)):
        for name in reference.columns:
            if name not in items:
                raise reference.source.error(f"it is about {name!r}", "name properties of the object")
            if items[name].protect in {"mask", "omit"} or items[name].logical_type in {"object", "array"}:
                raise reference.source.error(f"the column {name} cannot be compared", "hash it, or use a simple type")
        yield Relationship(columns=reference.columns, dataset=reference.dataset, to=reference.to)


def unknown_targets(plan: Plan, others: dict[str, Plan]) -> Iterator[str]:
    """Say which relationships name a column that a dataset of the project does not have."""
    for relationship in plan.relationships:
        target = others.get(relationship.dataset)
        missing = set(relationship.to) - {column.name for column in target.columns} if target else set()
        for name in sorted(missing):
            yield f"{', '.join(relationship.columns)} refers to {relationship.dataset}.{name}, which is no column"


def orphan_query(plan: Plan, relationship: Relationship) -> str:
    """A SELECT, in SQL that Athena and DuckDB share, of how many rows refer to something and how many find nothing.

    Rows with NULL in one of the columns refer to nothing.
    """
    numbers = range(len(relationship.columns))
    mine = ", ".join(f"{quote(relationship.columns[at])} AS mine_{at}" for at in numbers)
    given = " AND ".join(f"{quote(name)} IS NOT NULL" for name in relationship.columns)
    theirs = ", ".join(f"{quote(relationship.to[at])} AS theirs_{at}" for at in numbers)
    same = " AND ".join(f"mine_{at} = theirs_{at}" for at in numbers)
    return (
        f'SELECT count(*) AS "rows", count(*) - count(theirs_0) AS orphans'
        f" FROM (SELECT {mine} FROM {quote(plan.dataset)} WHERE {given}) AS referring"
        f" LEFT JOIN (SELECT DISTINCT {theirs} FROM {quote(relationship.dataset)}) AS referred ON {same}"
    )


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _parts(name: str) -> Any:
    found = _SHORT.fullmatch(name)
    return (found[1], found[2]) if found else None
