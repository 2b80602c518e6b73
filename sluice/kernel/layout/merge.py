"""Row changes to tables made of Parquet files: latest row per key, and removal of an object's rows. Copy-on-write.

Files in, files out: which files a table consists of is publish's business. Only keys are ever joined or sorted; whole
rows stream from the files that change into new ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import duckdb

from sluice.contract.plan import PROVENANCE, REJECTS, Plan
from sluice.contract.sql import literal, quote
from sluice.contract.types import duckdb_type
from sluice.kernel.layout.partition import partition_expressions, write_parquet
from sluice.kernel.outcome import Limits, MergeOutcome, OutputFile
from sluice.kernel.session import session

_PLACE = "filename, file_row_number"  # where a row stands


def merge_files(
    *,
    current: Sequence[Path],
    incoming: Sequence[Path],
    plan: Plan,
    out: Path,
    scratch: Path | None = None,
    field_ids: Mapping[str, int] | None = None,
    limits: Limits | None = None,
) -> MergeOutcome:
    """Bring `incoming` data files into a table of `current` ones: for each primary key the latest row wins.

    Latest is the largest (`sequence_by` if the plan has one, NULL being the smallest; `_sluice_order`; `_sluice_row`),
    among current and incoming rows alike. Current files without a superseded row are not touched; neither are
    incoming files without a stale one. New files go to the new folder `out/merged`, one partition to a file.
    """
    table = Columns(_data_columns(plan), partition_expressions(plan), field_ids)
    incoming = [path for path in incoming if path not in set(current)]  # a row would lose against itself
    with ExitStack() as stack:
        connection = _open(stack, [*current, *incoming], out, scratch, limits)
        connection.execute("CREATE TEMP TABLE losers (filename VARCHAR, file_row_number BIGINT)")
        _find_losers(connection, plan, table.scan(current), table.scan(incoming))
        return _rewrite(connection, table, current, incoming, folder=out / "merged")


def without_objects(
    *,
    current: Sequence[Path],
    objects: Collection[str],
    plan: Plan,
    out: Path,
    by: Literal["_sluice_object", "_sluice_load"] = "_sluice_object",
    scratch: Path | None = None,
    field_ids: Mapping[str, int] | None = None,
    limits: Limits | None = None,
) -> MergeOutcome:
    """Take all rows of the object keys `objects` out of data files. Files that hold none of them are not touched.

    With `by="_sluice_load"` the texts in `objects` are load ids. New files go to the new folder `out/without`, one
    partition to a file.
    """
    table = Columns(_data_columns(plan), partition_expressions(plan), field_ids)
    with ExitStack() as stack:
        connection = _open(stack, current, out, scratch, limits)
        _find_rows_of(connection, by, objects, table.scan(current))
        return _rewrite(connection, table, current, (), folder=out / "without")


def rejects_without_objects(
    *,
    current: Sequence[Path],
    objects: Collection[str],
    out: Path,
    by: Literal["object", "load_id"] = "object",
    scratch: Path | None = None,
    field_ids: Mapping[str, int] | None = None,
    limits: Limits | None = None,
) -> MergeOutcome:
    """Take all entries of the object keys (or load ids) `objects` out of rejects files, into `out/rejects_without`."""
    table = Columns({name: duckdb_type(kind) for name, kind in REJECTS}, (), field_ids)
    with ExitStack() as stack:
        connection = _open(stack, current, out, scratch, limits)
        _find_rows_of(connection, quote(by), objects, table.scan(current))
        return _rewrite(connection, table, current, (), folder=out / "rejects_without", kind="rejects")


class Columns:
    """How files of one table are read and written: its columns by name and DuckDB type, partitions, field ids."""

    def __init__(
        self, columns: Mapping[str, str], partitions: Sequence[str], field_ids: Mapping[str, int] | None
    ) -> None:
        self.columns, self.partitions, self.field_ids = columns, partitions, field_ids
        self.names = ", ".join(map(quote, columns))

    def scan(self, files: Sequence[Path]) -> str:
        """Return the SELECT of the columns and each row's place; by field id if possible, as old files differ."""
        if not files:
            nothing = ", ".join(f"NULL::{kind} AS {quote(name)}" for name, kind in self.columns.items())
            return f"SELECT {nothing}, NULL::VARCHAR AS filename, NULL::BIGINT AS file_row_number WHERE false"
        listed = ", ".join(literal(str(path)) for path in files)
        options = "filename = true, file_row_number = true, hive_partitioning = false"
        if self.field_ids:
            fields = ", ".join(
                f"{self.field_ids[name]}: {{name: {literal(name)}, type: {literal(kind)}, default_value: NULL}}"
                for name, kind in self.columns.items()
            )
            return f"SELECT {self.names}, {_PLACE} FROM read_parquet([{listed}], {options}, schema = MAP {{{fields}}})"
        return f"SELECT {self.names}, {_PLACE} FROM read_parquet([{listed}], {options}, union_by_name = true)"


def _data_columns(plan: Plan) -> dict[str, str]:
    columns = [(column.name, column.type) for column in plan.columns]
    return {name: duckdb_type(kind) for name, kind in (*columns, *PROVENANCE)}


def _open(
    stack: ExitStack, files: Sequence[Path], out: Path, scratch: Path | None, limits: Limits | None
) -> duckdb.DuckDBPyConnection:
    out.mkdir(parents=True, exist_ok=True)
    directories = [out, *{path.parent for path in files}]
    return stack.enter_context(
        session(limits=limits or Limits(), scratch=scratch or out / "scratch", directories=directories)
    )


def _find_losers(connection: duckdb.DuckDBPyConnection, plan: Plan, current: str, incoming: str) -> None:
    """Fill `losers` with the place of each row that is not the latest of its key."""
    key = ", ".join(map(quote, plan.primary_key))
    sequence = f"{quote(plan.sequence_by)} DESC NULLS LAST, " if plan.sequence_by else ""
    judged = ", ".join(dict.fromkeys([key, *([quote(plan.sequence_by)] if plan.sequence_by else [])]))
    connection.execute(
        f"CREATE TEMP TABLE arrived AS SELECT {judged}, _sluice_order, _sluice_row, {_PLACE} FROM ({incoming})"
    )
    # On a tie (the very same record again) the incoming row wins: the result is the same, and it is the one at hand.
    connection.execute(f"""
    INSERT INTO losers
    WITH touched AS (
        SELECT {judged}, _sluice_order, _sluice_row, {_PLACE}, 0 AS arrival
        FROM ({current}) SEMI JOIN arrived USING ({key})
    ), rivals AS (
        SELECT * FROM touched UNION ALL SELECT *, 1 AS arrival FROM arrived
    ), contested AS (
        SELECT {key} FROM rivals GROUP BY ALL HAVING count(*) > 1
    ), ranked AS (
        SELECT {_PLACE}, row_number() OVER (
            PARTITION BY {key} ORDER BY {sequence}_sluice_order DESC, _sluice_row DESC, arrival DESC
        ) AS rank
        FROM rivals SEMI JOIN contested USING ({key})
    )
    SELECT {_PLACE} FROM ranked WHERE rank > 1""")


def _find_rows_of(connection: duckdb.DuckDBPyConnection, column: str, objects: Collection[str], current: str) -> None:
    connection.execute(
        f"""
        CREATE TEMP TABLE losers AS
        SELECT {_PLACE} FROM ({current}) WHERE {column} IN (SELECT unnest($objects::VARCHAR[]))""",
        {"objects": sorted(objects)},
    )


def _rewrite(
    connection: duckdb.DuckDBPyConnection,
    table: Columns,
    current: Sequence[Path],
    incoming: Sequence[Path],
    *,
    folder: Path,
    kind: Literal["data", "rejects"] = "data",
) -> MergeOutcome:
    """Write all files that hold losers again, without them."""
    counted = connection.execute("SELECT filename, count(*) FROM losers GROUP BY ALL").fetchall()
    lost = {Path(name): rows for name, rows in counted}
    changed = [path for path in (*current, *incoming) if path in lost]
    files: list[OutputFile] = []
    if changed:
        written = write_parquet(
            connection,
            f"SELECT {table.names} FROM ({table.scan(changed)}) ANTI JOIN losers USING ({_PLACE})",
            folder=folder,
            partitions=table.partitions,
            field_ids=table.field_ids,
        )
        files += [OutputFile(path=file.path, kind=kind, rows=file.rows) for file in written]
    _check(connection, changed, lost, files)
    kept = [path for path in incoming if path not in lost]
    sizes = _rows(connection, kept)
    files += [OutputFile(path=path, kind="data", rows=sizes[path]) for path in kept if sizes[path]]
    return MergeOutcome(
        files=tuple(files),
        replaced=tuple(path for path in current if path in lost),
        rows_removed=sum(lost.get(path, 0) for path in current),
        rows_stale=sum(lost.get(path, 0) for path in incoming),
    )


def _check(
    connection: duckdb.DuckDBPyConnection,
    changed: Sequence[Path],
    lost: Mapping[Path, int],
    files: Sequence[OutputFile],
) -> None:
    """Conservation: what was in the changed files is in the new ones, or was meant to go."""
    before, after = sum(_rows(connection, changed).values()), sum(file.rows for file in files)
    if sum(lost.values()) != before - after:
        raise RuntimeError(f"conservation is broken: {before} rows before, {sum(lost.values())} to go, {after} written")


def _rows(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> dict[Path, int]:
    """Rows of each file, from its footer."""
    if not files:
        return {}
    listed = ", ".join(literal(str(path)) for path in files)
    found = connection.execute(f"SELECT file_name, num_rows FROM parquet_file_metadata([{listed}])").fetchall()
    return {Path(name): int(rows) for name, rows in found}
