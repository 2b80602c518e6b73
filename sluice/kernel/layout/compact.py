"""Several Parquet files of one partition become one: the same rows, sorted. Which files: `sluice.lake.compaction`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.contract.sql import literal, quote
from sluice.kernel.layout.merge import Columns
from sluice.kernel.layout.partition import write_parquet
from sluice.kernel.outcome import Limits
from sluice.kernel.session import session


def compact(
    files: Sequence[Path],
    *,
    columns: Mapping[str, str],
    field_ids: Mapping[str, int],
    order: Sequence[str],
    out: Path,
    limits: Limits | None = None,
) -> Path:
    """Write all rows of `files` to one new file in the new folder `out`, sorted by the columns `order`.

    `columns` are the table's by name and DuckDB type; a file that is older than a column holds NULLs in it. Raises
    RuntimeError if a row was lost, which cannot be.
    """
    scanned = Columns(columns, (), field_ids).scan(files)
    listed = ", ".join(literal(str(path)) for path in files)
    out.parent.mkdir(parents=True, exist_ok=True)
    directories = {out.parent, *(path.parent for path in files)}
    with session(limits=limits or Limits(), scratch=out.parent / "scratch", directories=directories) as connection:
        (written,) = write_parquet(
            connection,
            f"SELECT {', '.join(map(quote, columns))} FROM ({scanned}) ORDER BY {', '.join(map(quote, order))}",
            folder=out,
            field_ids=field_ids,
        )
        counted = connection.execute(f"SELECT sum(num_rows) FROM parquet_file_metadata([{listed}])").fetchone()
    if counted is None or counted[0] != written.rows:
        raise RuntimeError(f"conservation is broken: {counted} rows before, {written.rows} after")
    return written.path
