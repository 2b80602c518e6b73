"""Parquet objects: is it one, is it within bounds, which columns does it have. DuckDB reads the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from sluice.contract.plan import Plan
from sluice.contract.sql import quote
from sluice.errors import DataError
from sluice.kernel.framing.unpack import blocks, compression
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.header import positions, unknown_positions
from sluice.kernel.readers.records import Records, parquet_records

_MAGIC = b"PAR1"
_LONG = ("VARCHAR", "BLOB", "STRUCT", "MAP", "JSON")  # types of values without a fixed size
_FREE_CELLS = 1 << 22  # so many cells are fine in any number of bytes: a constant column takes none
_CELL = 4  # bytes
_FREE_BYTES = 1 << 30
_SOME_ROWS = 1024


def open_parquet(
    connection: duckdb.DuckDBPyConnection, source: SourceFile, plan: Plan, *, scratch: Path, limits: Limits
) -> Records:
    """Return the records of a Parquet object. Raises DataError `file.format`, `file.limit` or `file.columns`."""

    def refuse(rule: str, message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule=rule, object_key=source.key)

    path = _unpacked(source, plan, scratch, limits)
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
        file.seek(max(0, path.stat().st_size - len(_MAGIC)))
        if head != _MAGIC or file.read() != _MAGIC:
            raise refuse("file.format", "expected a Parquet file, got something else or a part of one")
    parameters = {"path": str(path)}
    try:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet($path)", parameters).fetchall()
        sizes = """
        SELECT coalesce(sum(total_uncompressed_size), 0), (SELECT sum(num_rows) FROM parquet_file_metadata($path))
        FROM parquet_metadata($path)"""
        size, rows = connection.execute(sizes, parameters).fetchone() or (0, 0)
    except duckdb.Error as error:
        raise refuse("file.format", "expected a Parquet file, got one with a damaged footer") from error
    if size > limits.max_bytes or rows > limits.max_rows or len(described) > limits.max_columns:
        raise refuse("file.limit", f"{size} bytes, {rows} rows and {len(described)} columns are too many")
    packed = path.stat().st_size
    if rows * len(described) > max(_FREE_CELLS, packed * limits.max_ratio // _CELL):
        raise refuse("file.limit", f"{rows} rows of {len(described)} columns in {packed} bytes are too many")
    long = [name for name, kind, *_ in described if kind.startswith(_LONG) or kind.endswith("]")]
    try:
        swells = bool(long) and _swells(connection, path, long, rows, max(_FREE_BYTES, packed * limits.max_ratio))
    except duckdb.InvalidInputException as error:
        raise refuse("file.format", "expected a Parquet file, got one with damaged pages") from error
    if swells:
        raise refuse("file.limit", f"its texts are more than {limits.max_ratio} times its size")
    names = [name for name, *_ in described]
    cells = positions(names, plan, key=source.key)
    kinds = [kind for _, kind, *_ in described]
    return parquet_records(path, names=names, kinds=kinds, cells=cells, extras=unknown_positions(names, plan))


def _swells(connection: duckdb.DuckDBPyConnection, path: Path, names: Sequence[str], rows: int, allowed: int) -> bool:
    """Whether the values of columns without a fixed size are more than `allowed` bytes; looks at few rows first.

    Encoded as a dictionary, one long text in a thousand bytes is a hundred gigabytes, and no footer tells.
    """
    lengths = " + ".join(f"coalesce(strlen(CAST({quote(name)} AS VARCHAR)), 0)" for name in names)
    scan = "read_parquet($path, file_row_number = true, hive_partitioning = false)"
    some = _SOME_ROWS
    while True:  # by a filter: a LIMIT would hold all the texts in memory
        query = f"SELECT sum({lengths}) FROM {scan} WHERE file_row_number < $some"
        (found,) = connection.execute(query, {"path": str(path), "some": some}).fetchone() or (0,)
        if (found or 0) > allowed:
            return True
        if some >= rows:
            return False
        some *= 4


def _unpacked(source: SourceFile, plan: Plan, scratch: Path, limits: Limits) -> Path:
    if compression(source, plan) == "none":
        return source.path
    target = scratch / "unpacked"
    with target.open("wb") as out:
        for block in blocks(source, plan, limits):
            out.write(block)
    return target
