"""Parquet objects: is it one, is it within bounds, do two readers find the same in it. DuckDB reads the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from sluice.contract.plan import Plan
from sluice.contract.sql import quote
from sluice.errors import DataError
from sluice.kernel.framing.unpack import blocks, compression
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.arrow import ROW, Arrow, DamagedError, open_arrow
from sluice.kernel.readers.header import positions, unknown_positions
from sluice.kernel.readers.records import Records, parquet_records
from sluice.kernel.session import session

_MAGIC = b"PAR1"
_LONG = ("VARCHAR", "BLOB", "STRUCT", "MAP", "JSON")  # types of values without a fixed size
_FREE_CELLS = 1 << 22  # so many cells are fine in any number of bytes: a constant column takes none
_CELL = 4  # bytes
_FREE_BYTES = 1 << 30
_SOME_ROWS = 1024
_RESERVED = "file_row_number"  # what DuckDB calls its own column
_TEXTS = {"varchar", "enum"}


@dataclass(frozen=True)
class Columns:
    """The columns of a file as DuckDB names and types them; `names` are those in the file."""

    path: Path
    names: Sequence[str]
    own: Sequence[str]
    kinds: Sequence[Any]


def open_parquet(source: SourceFile, plan: Plan, *, scratch: Path, limits: Limits) -> Records:
    """Return the records of a Parquet object. Raises DataError `file.format`, `file.limit` or `file.columns`.

    The file is read once by pyarrow and once by DuckDB, in a database of its own, before any record is given: damaged
    bytes refuse the object here, and what a damaged file does to a database is that one's end only.
    """

    def refuse(rule: str, message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule=rule, object_key=source.key)

    path = _unpacked(source, plan, scratch, limits)
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
        file.seek(max(0, path.stat().st_size - len(_MAGIC)))
        if head != _MAGIC or file.read() != _MAGIC:
            raise refuse("file.format", "expected a Parquet file, got something else or a part of one")
    try:
        arrow = open_arrow(path, limits)
    except DamagedError as error:
        raise refuse("file.format", "expected a Parquet file, got one with a damaged footer") from error
    probe = scratch / "probe"
    try:
        with session(limits=limits, scratch=probe, directories=[path.parent, scratch]) as connection:
            columns = _examined(connection, arrow, scratch, limits, refuse)
    except DamagedError as error:
        raise refuse("file.format", "expected a Parquet file, got one with damaged pages") from error
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise refuse("file.format", "expected a Parquet file, got one with damaged pages") from error
    cells = positions(columns.names, plan, key=source.key)
    return parquet_records(columns.path, own=columns.own, kinds=columns.kinds, names=columns.names, cells=cells,
                           extras=unknown_positions(columns.names, plan), plan=plan)  # fmt: skip


def parquet_names(path: Path, limits: Limits) -> list[str]:
    """List the columns of a Parquet file. Raises DamagedError."""
    return list(open_arrow(path, limits).names)


def _examined(
    connection: duckdb.DuckDBPyConnection,
    arrow: Arrow,
    scratch: Path,
    limits: Limits,
    refuse: Callable[[str, str], DataError],
) -> Columns:
    """Check bounds, then compare two readings of all values; write anew what DuckDB cannot read."""
    parameters = {"path": str(arrow.path)}
    chunks = """
        SELECT row_group_id, row_group_num_rows, column_id, num_values, total_uncompressed_size
        FROM parquet_metadata($path)"""
    size, groups = 0, {}
    for group, group_rows, leaf, values, length in connection.execute(chunks, parameters).fetchall():
        size += max(length, 0)
        groups[group] = group_rows
        if leaf in arrow.flat and values != group_rows:
            raise DamagedError(f"{group_rows} rows in a group, {values} values in one of its columns")
    if groups and sum(groups.values()) != arrow.rows:
        raise DamagedError("more or fewer rows in the groups than in the file")
    width, rows, packed = len(arrow.names), arrow.rows, arrow.path.stat().st_size
    if size > limits.max_bytes or rows > limits.max_rows or width > limits.max_columns:
        raise refuse("file.limit", f"{size} bytes, {rows} rows and {width} columns are too many")
    if rows * width > max(_FREE_CELLS, packed * limits.max_ratio // _CELL):
        raise refuse("file.limit", f"{rows} rows of {width} columns in {packed} bytes are too many")
    own, kinds = _described(connection, arrow.path)
    anew = bool(arrow.odd) or any(name.lower() == _RESERVED for name in arrow.names)
    long = [name for name, kind in zip(own, map(str, kinds), strict=True) if kind.startswith(_LONG) or kind[-1] == "]"]
    most = max(_FREE_BYTES, packed * limits.max_ratio)
    swollen = arrow.counted(most) if anew else _text_bytes(connection, arrow.path, long, rows, most)
    if swollen is None:
        raise refuse("file.limit", f"its texts are more than {limits.max_ratio} times its size")
    bytes_each = 8 * width + swollen / max(rows, 1)
    if anew:
        target = scratch / "rewritten.parquet"
        arrow.rewrite(target, bytes_each=bytes_each)
        own, kinds = _described(connection, target)
        return Columns(target, arrow.names, own, kinds)
    _compare(connection, arrow, own, kinds, bytes_each=bytes_each)
    return Columns(arrow.path, arrow.names, own, kinds)


def _described(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[str], list[Any]]:
    found = connection.sql("SELECT * FROM read_parquet($path, hive_partitioning = false)", params={"path": str(path)})
    return list(found.columns), list(found.types)


def _compare(
    connection: duckdb.DuckDBPyConnection, arrow: Arrow, own: Sequence[str], kinds: Sequence[Any], *, bytes_each: float
) -> None:
    """Raise DamagedError unless pyarrow and DuckDB find the same values in the same rows.

    Where the two have no common type for a column (a file's own hints make Arrow choose another), its values are not
    compared; its checksums are verified all the same.
    """
    import pyarrow as pa  # noqa: PLC0415

    schema, batches = arrow.batches(bytes_each=bytes_each)
    empty = pa.RecordBatchReader.from_batches(schema, iter(()))
    connection.register("second_shape", empty)
    others = connection.sql("SELECT * FROM second_shape").types
    alike = [at for at, kind in enumerate(kinds) if str(kind) == str(others[at])]
    texts = [at for at, kind in enumerate(kinds) if at not in alike and {kind.id, others[at].id} <= _TEXTS]
    connection.unregister("second_shape")

    def digest(names: Sequence[str], row: str) -> str:
        values = [quote(names[at]) for at in alike] + [f"CAST({quote(names[at])} AS VARCHAR)" for at in texts]
        return f"count(*), coalesce(sum(CAST(hash({', '.join([row, *values])}) AS HUGEINT)), 0)"

    watched = _Watched(batches)
    connection.register("second", pa.RecordBatchReader.from_batches(schema, watched))
    try:
        theirs = connection.execute(f"SELECT {digest(schema.names, ROW)} FROM second").fetchone()
    except duckdb.Error:
        raise watched.error or DamagedError("a reading that did not end") from None
    connection.unregister("second")
    scan = "read_parquet($path, file_row_number = true, hive_partitioning = false)"
    ours = connection.execute(f"SELECT {digest(own, _RESERVED)} FROM {scan}", {"path": str(arrow.path)}).fetchone()
    if ours != theirs:
        raise DamagedError("two readers find different values")


@dataclass
class _Watched:
    """Batches that DuckDB reads, and why they ended early: it tells in its own words only that they did."""

    batches: Iterator[Any]
    error: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self.batches)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise


def _text_bytes(
    connection: duckdb.DuckDBPyConnection, path: Path, names: Sequence[str], rows: int, allowed: int
) -> int | None:
    """Count the bytes of the values of columns without a fixed size; None above `allowed`. Looks at few rows first.

    Encoded as a dictionary, one long text in a thousand bytes is a hundred gigabytes, and no footer tells.
    """
    lengths = " + ".join(f"coalesce(strlen(CAST({quote(name)} AS VARCHAR)), 0)" for name in names)
    if not names:
        return 0
    scan = "read_parquet($path, file_row_number = true, hive_partitioning = false)"
    some = _SOME_ROWS
    while True:  # by a filter: a LIMIT would hold all the texts in memory
        query = f"SELECT sum({lengths}) FROM {scan} WHERE {_RESERVED} < $some"
        (found,) = connection.execute(query, {"path": str(path), "some": some}).fetchone() or (0,)
        if (found or 0) > allowed:
            return None
        if some >= rows:
            return int(found or 0)
        some *= 4


def _unpacked(source: SourceFile, plan: Plan, scratch: Path, limits: Limits) -> Path:
    if compression(source, plan) == "none":
        return source.path
    target = scratch / "unpacked"
    with target.open("wb") as out:
        for block in blocks(source, plan, limits):
            out.write(block)
    return target
