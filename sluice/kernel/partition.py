"""Parquet files as the lake wants them: field ids, zstd, one partition to a file. No judgement of rows here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb

from sluice.contract.plan import Column, PartitionField, Plan
from sluice.contract.sql import literal, quote
from sluice.kernel.outcome import OutputFile

_PERIODS = {
    "year": "year({0})",
    "month": "CAST(date_trunc('month', {0}) AS DATE)",
    "day": "CAST({0} AS DATE)",
    "hour": "date_trunc('hour', {0})",
}
_TRUNCATE = re.compile(r"truncate\[(\d+)\]")


def write_parquet(
    connection: duckdb.DuckDBPyConnection,
    select: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    folder: Path,
    kind: Literal["data", "rejects"],
    partitions: Sequence[str] = (),
    field_ids: Mapping[str, int] | None = None,
) -> tuple[OutputFile, ...]:
    """Write the rows of `select` below the new folder `folder`. No rows, no file.

    `partitions` are SQL expressions over the selected columns; their values are not written.
    """
    folder.mkdir(parents=True)
    options = ["FORMAT parquet", "COMPRESSION zstd", "RETURN_STATS"]
    if field_ids:
        options.append(f"FIELD_IDS {{{', '.join(f'{quote(name)}: {number}' for name, number in field_ids.items())}}}")
    target = folder / "part.parquet"
    query = select
    if partitions:
        names = [f"_sluice_part_{number}" for number in range(len(partitions))]
        query = f"SELECT *, {', '.join(f'{part} AS {name}' for part, name in zip(partitions, names, strict=True))} FROM ({select})"
        options += [f"PARTITION_BY ({', '.join(names)})", "FILENAME_PATTERN 'part_{i}'"]
        target = folder
    statement = f"COPY ({query}) TO {literal(str(target))} ({', '.join(options)})"
    written = connection.execute(statement, dict(parameters or {})).fetchall()
    files = []
    for name, rows, *_ in sorted(written):
        if rows:
            files.append(OutputFile(path=Path(name), kind=kind, rows=rows))
        else:
            Path(name).unlink()
    return tuple(files)


def partition_expressions(plan: Plan) -> tuple[str, ...]:
    """One DuckDB expression for each partition field: equal values where Iceberg's transform gives equal values."""
    columns = {column.name: column for column in plan.columns}
    return tuple(_expression(part, columns[part.column]) for part in plan.partition)


def _expression(part: PartitionField, column: Column) -> str:
    name = quote(part.column)
    if part.transform in _PERIODS:
        return _PERIODS[part.transform].format(name)
    if column.type == "string":
        # The value becomes a folder name, which has a limit that texts do not have: a digest stands for it.
        width = _TRUNCATE.fullmatch(part.transform)
        return f"md5({name}[:{int(width[1])}])" if width else f"md5({name})"
    if part.transform == "identity":
        return name
    if width := _TRUNCATE.fullmatch(part.transform):
        return _floored(name, column.type, int(width[1]))
    raise ValueError(f"partition transform {part.transform!r} is not one of Iceberg's that Sluice writes")


def _floored(name: str, kind: str, width: int) -> str:
    """The largest multiple of the width that is not above the value; for decimals, of the width in units of the scale."""
    scale = int(kind.rstrip(")").rpartition(",")[2]) if kind.startswith("decimal") else 0
    value = f"CAST({name} * {10**scale} AS HUGEINT)"
    return f"{value} - ((({value} % {width}) + {width}) % {width})"
