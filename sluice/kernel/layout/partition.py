"""Parquet files as the lake wants them: field ids, zstd, one partition to a file. No judgement of rows here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from sluice.contract.plan import Column, PartitionField, Plan
from sluice.contract.sql import literal, quote
from sluice.kernel.layout.fields import field_ids_option

# The number of a period, the same for all moments in it; the cheapest way to it that was found.
_PERIODS = {
    "year": "year({0})",
    "month": "year({0}) * 12 + month({0})",
    "day": "datediff('day', TIMESTAMP '1970-01-01', {0})",
    "hour": "datediff('hour', TIMESTAMP '1970-01-01', {0})",
}
NO_PERIOD = 10**12  # no period has this number, or a larger one
_TRUNCATE = re.compile(r"truncate\[(\d+)\]")
_PART = "_sluice_part_{}"
_GROUP = 128 << 20  # bytes of a row group in memory, or DuckDB's 122,880 rows, which are gigabytes where texts are long
_LEVEL = 1  # of zstd: files are 1% larger than at the default of 3, and a sixth of the time to write them is saved


@dataclass(frozen=True)
class Written:
    """One Parquet file, its rows, and the values of the partition expressions as text."""

    path: Path
    rows: int
    partition: tuple[str | None, ...] = ()


def write_parquet(
    connection: duckdb.DuckDBPyConnection,
    select: str,
    *,
    folder: Path,
    parameters: Mapping[str, Any] | None = None,
    partitions: Sequence[str] = (),
    hidden: Sequence[str] = (),
    field_ids: Mapping[str, int] | None = None,
    most_in_dictionary: int | None = None,
) -> tuple[Written, ...]:
    """Write the rows of `select` below the new folder `folder`. No rows, no file.

    `partitions` are SQL expressions over the selected columns; their values are not written, neither are those of the
    columns `hidden`. A column of more than `most_in_dictionary` values in one row group gets no dictionary there.
    """
    folder.mkdir(parents=True)
    options = ["FORMAT parquet", "COMPRESSION zstd", f"COMPRESSION_LEVEL {_LEVEL}", "RETURN_STATS"]
    options.append(f"ROW_GROUP_SIZE_BYTES '{_GROUP}B'")
    if most_in_dictionary:
        options.append(f"DICTIONARY_SIZE_LIMIT {most_in_dictionary}")
    if field_ids:
        options.append(f"FIELD_IDS {field_ids_option(field_ids)}")
    target = folder / "part.parquet"
    query = select
    names = [_PART.format(number) for number in range(len(partitions))]
    if partitions:
        values = ", ".join(f"{value} AS {name}" for value, name in zip(partitions, names, strict=True))
        shown = f"* EXCLUDE ({', '.join(hidden)})" if hidden else "*"
        query = f"SELECT {shown}, {values} FROM ({select})"
        options += [f"PARTITION_BY ({', '.join(names)})", "FILENAME_PATTERN 'part_{i}'"]
        target = folder
    statement = f"COPY ({query}) TO {literal(str(target))} ({', '.join(options)})"
    result = connection.execute(statement, dict(parameters or {}))
    described = [name for name, *_ in result.description or ()]
    return tuple(_files(([dict(zip(described, row, strict=True)) for row in result.fetchall()]), names))


def _files(stats: Iterable[Mapping[str, Any]], names: Sequence[str]) -> Iterable[Written]:
    for file in sorted(stats, key=lambda file: str(file["filename"])):
        path = Path(file["filename"])
        if file["count"]:
            keys = file["partition_keys"] or {}
            yield Written(path, file["count"], tuple(keys[name] for name in names))
        else:
            path.unlink()


def is_by_period(plan: Plan) -> bool:
    """Whether the one partition expression of the plan is the number of a period."""
    return [part.transform in _PERIODS for part in plan.partition] == [True]


def partition_expressions(plan: Plan) -> tuple[str, ...]:
    """Return one DuckDB expression for each partition field, with equal values where Iceberg's transform has them."""
    columns = {column.name: column for column in plan.columns}
    return tuple(_expression(part, columns[part.column]) for part in plan.partition)


def _expression(part: PartitionField, column: Column) -> str:
    name = quote(part.column)
    if part.transform in _PERIODS:
        return _PERIODS[part.transform].format(name)
    width = _TRUNCATE.fullmatch(part.transform)
    if column.type == "string" and (width or part.transform == "identity"):
        # The value becomes a folder name, which has a limit that texts do not have: a digest stands for it.
        return f"md5({name}[:{int(width[1])}])" if width else f"md5({name})"
    if width:
        return _floored(name, column.type, int(width[1]))
    if part.transform == "identity":
        return name
    raise ValueError(f"partition transform {part.transform!r} is not one of Iceberg's that Sluice writes")


def _floored(name: str, kind: str, width: int) -> str:
    """Return the largest multiple of the width that is not above the value; in units of the scale for decimals."""
    scale = int(kind.rstrip(")").rpartition(",")[2]) if kind.startswith("decimal") else 0
    value = f"CAST({name} * {10**scale} AS HUGEINT)"
    return f"{value} - ((({value} % {width}) + {width}) % {width})"
