"""Which data files of a table may hold some rows, told from the bounds in its manifests before any file is opened.

An answer errs on the side of "may hold". What to do with the files is planned in `edits.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes

from sluice.errors import ContractError

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

Range = tuple[Any, Any] | None  # least and greatest value; None where unknown


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Files found for some values of a column. Every row of a `whole` file has one of them; `partly` is to be read."""

    whole: tuple[DataFile, ...]
    partly: tuple[DataFile, ...]


def all_files(table: Table) -> Sequence[DataFile]:
    """List the data files of the current snapshot."""
    tasks = list(table.scan().plan_files())
    if any(task.delete_files for task in tasks):
        raise ContractError(
            "the table has row-level deletes, which Sluice does not write",
            file=".".join(table.name()),
            remedy="run Athena's OPTIMIZE on the table, and let nobody else write to it",
        )
    return [task.file for task in tasks]


def holding(table: Table, *, column: str, values: Iterable[str]) -> Holding:
    """Find the files that hold rows with one of the values in a text column."""
    wanted = sorted(set(values))
    whole: list[DataFile] = []
    partly: list[DataFile] = []
    if wanted:
        for data_file in all_files(table):
            match bounds(table, data_file, column):
                case (low, high) if not _any_between(wanted, low, high):
                    continue
                # Bounds that were cut short never meet, so equal bounds are the one value of the file.
                case (low, high) if low == high and not _nulls(table, data_file, column):
                    whole.append(data_file)
                case _ if _reads_any(table, data_file, column, wanted):
                    partly.append(data_file)
    return Holding(whole=tuple(whole), partly=tuple(partly))


def pairs(table: Table, files: Iterable[DataFile], columns: tuple[str, str]) -> frozenset[tuple[str, str]]:
    """Read which pairs of values two text columns have in these files."""
    found: set[tuple[str, str]] = set()
    for data_file in files:
        with table.io.new_input(data_file.file_path).open() as stream:
            rows = pq.read_table(stream, columns=list(columns)).group_by(list(columns)).aggregate([])
        found |= {(row[columns[0]], row[columns[1]]) for row in rows.to_pylist()}
    return frozenset(found)


def overlapping(
    table: Table, files: Iterable[DataFile], others: Sequence[DataFile], *, columns: Sequence[str]
) -> tuple[DataFile, ...]:
    """Select the files whose ranges of all `columns` meet those of one of `others`."""
    ranges = [[bounds(table, other, column) for column in columns] for other in others]
    return tuple(
        data_file
        for data_file in files
        if (own := [bounds(table, data_file, column) for column in columns])
        and any(all(map(_meet, own, other)) for other in ranges)
    )


def bounds(table: Table, data_file: DataFile, column: str) -> Range:
    """Read the range of a column's values from a file's entry in the manifest."""
    field = table.schema().find_field(column)
    low, high = (of.get(field.field_id) if of else None for of in (data_file.lower_bounds, data_file.upper_bounds))
    if low is None or high is None or not field.field_type.is_primitive:
        return None
    return from_bytes(field.field_type, low), from_bytes(field.field_type, high)  # type: ignore[arg-type]


def _any_between(ordered: Sequence[str], low: str, high: str) -> bool:
    # Iceberg orders text by code point, as Python does.
    at = bisect_left(ordered, low)
    return at < len(ordered) and ordered[at] <= high


def _meet(one: Range, other: Range) -> bool:
    return one is None or other is None or bool(one[0] <= other[1] and other[0] <= one[1])


def _nulls(table: Table, data_file: DataFile, column: str) -> bool:
    counts = data_file.null_value_counts
    return not counts or counts.get(table.schema().find_field(column).field_id, 1) > 0


def _reads_any(table: Table, data_file: DataFile, column: str, wanted: Sequence[str]) -> bool:
    with table.io.new_input(data_file.file_path).open() as stream:
        cells = pq.read_table(stream, columns=[column])[column]
    found = pc.any(pc.is_in(cells, value_set=pa.array(wanted, type=cells.type))).as_py()
    return bool(found)
