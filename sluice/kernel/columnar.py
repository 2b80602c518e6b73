"""Parquet objects: is it one, is it within bounds, which columns does it have. DuckDB reads the rest."""

from __future__ import annotations

from pathlib import Path

import duckdb

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.header import positions, unknown_positions
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.records import Records, parquet_records
from sluice.kernel.unpack import blocks, compression

_MAGIC = b"PAR1"


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
    names = [name for name, *_ in described]
    cells = positions(names, plan, key=source.key)
    kinds = [kind for _, kind, *_ in described]
    return parquet_records(path, names=names, kinds=kinds, cells=cells, extras=unknown_positions(names, plan))


def _unpacked(source: SourceFile, plan: Plan, scratch: Path, limits: Limits) -> Path:
    if compression(source, plan) == "none":
        return source.path
    target = scratch / "unpacked"
    with target.open("wb") as out:
        for block in blocks(source, plan, limits):
            out.write(block)
    return target
