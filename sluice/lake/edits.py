"""What publishing a batch does to a table, by mode: pure plans over the table's files, given how to rewrite files.

Rewriting touches rows and is the kernel's business: it comes in as a callable over `s3://` addresses. When and how an
edit is committed is in `publish.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as dataclass_replace
from typing import TYPE_CHECKING

from pyiceberg.io.pyarrow import parquet_file_to_data_file

from sluice.lake.marks import GENERATION, ORDER
from sluice.lake.pruning import all_files, holding, overlapping, pairs
from sluice.lake.publish import Edit

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """Addresses of files that hold the rows which stay, and of those of the given files that they stand in for."""

    add: tuple[str, ...]
    remove: frozenset[str]


# (addresses of files, column, values): leave out the rows that have one of the values.
Drop = Callable[[Sequence[str], str, Sequence[str]], Rewritten]
# (addresses of files of the table, addresses of new files): of each key, keep the latest row. `remove` names files of
# the table; new files that stay as they are come back in `add`.
Merge = Callable[[Sequence[str], Sequence[str]], Rewritten]


def append(table: Table, *, add: Sequence[str], column: str, stale: Sequence[str], drop: Drop) -> Edit:
    """Add files, and remove every older row whose `column` is one of the `stale` values."""
    found = holding(table, column=column, values=stale)
    if not found.partly:
        return Edit(add=tuple(add), remove=found.whole)
    kept = drop([data_file.file_path for data_file in found.partly], column, stale)
    return Edit(add=(*add, *kept.add), remove=(*found.whole, *_at(found.partly, kept.remove)))


def append_rejects(
    table: Table, *, add: Sequence[str], stale: Sequence[str], again: Sequence[str], spared: Sequence[str], drop: Drop
) -> Edit:
    """Add rejects, and remove the older ones of objects `stale` and of loads `again`, but not of loads `spared`.

    Spared are loads that were refused and are newer than what the table shows of their objects.
    """
    if not again and not spared:
        return append(table, add=add, column="object", stale=stale, drop=drop)
    found = holding(table, column="object", values=stale)
    entries = pairs(table, (*found.whole, *found.partly), ("object", "load_id"))
    loads = {load for key, load in entries if key in set(stale)} - set(spared) | set(again)
    return append(table, add=add, column="load_id", stale=sorted(loads), drop=drop)


def replace_rejects(
    table: Table, *, add: Sequence[str], order: str, gone: str, spared: Sequence[str], drop: Drop
) -> Edit:
    """As `replace`, but the rejects of loads that were refused and are newer than the object stay."""
    replaced = replace(table, add=add, order=order, gone=gone)
    if not spared or not replaced.properties:
        return replaced
    entries = pairs(table, all_files(table), ("object", "load_id"))
    loads = {load for _, load in entries} - set(spared)
    kept = append(table, add=add, column="load_id", stale=sorted(loads), drop=drop)
    return dataclass_replace(kept, properties=replaced.properties)


def refuse(
    table: Table,
    *,
    add: Sequence[str],
    orders: Sequence[str],
    again: Sequence[str],
    forgotten: Sequence[str],
    gone: str,
    drop: Drop,
) -> Edit:
    """Tell of refused objects of these ages in the rejects of a `replace` table, unless it shows a newer object.

    Rejects of the loads `forgotten` go in any case.
    """
    shown = table.properties.get(ORDER, "")
    if shown == gone or any(order >= shown for order in orders):
        return append(table, add=add, column="load_id", stale=[*again, *forgotten], drop=drop)
    return append(table, add=(), column="load_id", stale=forgotten, drop=drop)


def merge(table: Table, *, add: Sequence[str], keys: Sequence[str], lone: bool, merge_files: Merge) -> Edit:
    """Merge files into those of the table whose key ranges they meet.

    `lone` says that the new files come from one object, so that no key is twice among them.
    """
    if not add:
        return Edit()
    new = [parquet_file_to_data_file(table.io, table.metadata, uri) for uri in add]
    met = overlapping(table, all_files(table), new, columns=keys)
    if lone and not met:
        return Edit(add=tuple(add))
    merged = merge_files([data_file.file_path for data_file in met], add)
    return Edit(add=merged.add, remove=_at(met, merged.remove))


def replace(table: Table, *, add: Sequence[str], order: str | None, gone: str = "") -> Edit:
    """Let the table show the object of age `order` and nothing else, unless it shows a newer one already.

    `gone` is the age of an object that was deleted for good: from that one the table may go back.
    """
    shown = table.properties.get(ORDER, "")
    if order is None or (order < shown and shown != gone):
        return Edit()
    return Edit(add=tuple(add), remove=tuple(all_files(table)), properties={ORDER: order})


def rebuild(table: Table, *, add: Sequence[str], generation: int, order: str | None, merge_files: Merge | None) -> Edit:
    """Put files in the place of everything. `merge_files` is given where keys may be more than once among them."""
    merged = merge_files((), add).add if merge_files is not None and add else tuple(add)
    shown = {ORDER: order} if order is not None else {}
    return Edit(add=merged, remove=tuple(all_files(table)), properties={GENERATION: str(generation), **shown})


def _at(files: Sequence[DataFile], addresses: frozenset[str]) -> tuple[DataFile, ...]:
    return tuple(data_file for data_file in files if data_file.file_path in addresses)
