"""How many rows of which load a table holds, and which version they came from. Reads no other column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from pyiceberg.table import Table


@dataclass(frozen=True, kw_only=True, order=True)
class Origin:
    """Where rows come from, in which contract version."""

    key: str
    version_id: str
    load_id: str
    contract: str


def origins(table: Table) -> Mapping[Origin, int]:
    """Count the curated rows of each origin."""
    names = ("_sluice_object", "_sluice_version", "_sluice_load", "_sluice_contract")
    return _counted(table, names, where=None)


def rejected(table: Table) -> Mapping[Origin, int]:
    """Count the rejected records of each origin; objects that were refused as a whole have none."""
    return _counted(table, ("object", "version", "load_id", "contract"), where="ordinal")


def _counted(table: Table, names: tuple[str, ...], *, where: str | None) -> Mapping[Origin, int]:
    found: Counter[Origin] = Counter()
    selected = (*names, *((where, "row_number") if where else ()))
    for batch in table.scan(selected_fields=selected).to_arrow_batch_reader():
        rows = batch
        if where:
            rows = rows.filter(pc.and_(pc.equal(rows[where], 1), pc.is_valid(rows["row_number"])))
        grouped = pa.Table.from_batches([rows]).group_by(list(names)).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            key, version, load, contract = (row[name] for name in names)
            found[Origin(key=key, version_id=version, load_id=load, contract=contract)] += row["count_all"]
    return found
