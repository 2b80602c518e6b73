"""Files and a plan in, Parquet files, rejects and accounts out: the kernel's front door."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb

from sluice.contract.plan import PROVENANCE, Plan
from sluice.contract.sql import quote
from sluice.contract.types import duckdb_type
from sluice.errors import DataError
from sluice.kernel.examine import BREACH, BROKEN, RAW, examined
from sluice.kernel.outcome import Limits, Outcome, SourceFile
from sluice.kernel.read import attempts
from sluice.kernel.session import session
from sluice.kernel.write import write

Progress = Callable[[str, int], None]


def transform(
    sources: Sequence[SourceFile],
    plan: Plan,
    *,
    out: Path,
    scratch: Path,
    run_id: str,
    field_ids: Mapping[str, int] | None = None,
    reject_field_ids: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Read, cast, check, partition and write all `sources`; nothing of them is lost.

    Writes `out/data/**.parquet` (plan columns, then provenance columns; one partition to a file, all sources together)
    and `out/rejects/*.parquet` (REJECTS columns). `out/data` and `out/rejects` must not exist yet; `scratch` may be
    used freely and holds nothing of worth afterwards. Field ids map column names (of the curated table, of the rejects
    table) to Iceberg field ids; without them the files carry none.

    An object that cannot be read under its contract is refused as a whole: its summary says why, its only entry in
    the rejects has no row number, and the other sources go on. `progress` is called as (load id, rows read so far in
    this call) after each source. Raises duckdb.Error or OSError where the machine fails (memory, disk): retry.
    """
    limits = limits or Limits()
    refusals: list[tuple[SourceFile, DataError]] = []
    rows = 0
    directories = [out, *{source.path.parent for source in sources}]
    out.mkdir(parents=True, exist_ok=True)
    with session(limits=limits, scratch=scratch, directories=directories) as connection:
        create_examined(connection, plan)
        for number, source in enumerate(sources):
            folder = scratch / f"source-{number}"
            try:
                rows += examine(connection, source, plan, scratch=folder, run_id=run_id, limits=limits)
            except DataError as error:
                refusals.append((source, error))
            if progress:
                progress(source.load_id, rows)
        return write(
            connection,
            "examined",
            plan,
            loads=[source.load_id for source in sources],
            refusals=refusals,
            run_id=run_id,
            out=out,
            field_ids=field_ids,
            reject_field_ids=reject_field_ids,
        )


def create_examined(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """The empty table `examined`."""
    columns = [(column.name, duckdb_type(column.type)) for column in plan.columns]
    columns += [(name, duckdb_type(kind)) for name, kind in PROVENANCE]
    columns += [(RAW, "VARCHAR"), (BROKEN, f"{BREACH}[]")]
    connection.execute(f"CREATE TEMP TABLE examined ({', '.join(f'{quote(name)} {kind}' for name, kind in columns)})")


def examine(
    connection: duckdb.DuckDBPyConnection,
    source: SourceFile,
    plan: Plan,
    *,
    scratch: Path,
    run_id: str,
    limits: Limits,
    first_row: int = 0,
    names: Sequence[str] | None = None,
) -> int:
    """Put one object's records, cast and checked, into the table `examined`. Returns how many; all or none."""

    for attempt in attempts(
        connection, source, plan, scratch=scratch, limits=limits, first_row=first_row, names=names
    ):
        sql, parameters = examined(attempt.records, plan, source, run_id=run_id)
        try:
            (rows,) = connection.execute(f"INSERT INTO examined {sql}", parameters).fetchone() or (0,)
        except duckdb.InvalidInputException:  # it quotes the line: the next reader says what is wrong without
            if attempt.last:
                raise
            continue
        if attempt.accounts_for(connection, rows):
            return int(rows)
        connection.execute("DELETE FROM examined WHERE _sluice_load = $1", [source.load_id])
    raise RuntimeError(f"load {source.load_id}: no reader accounts for all records")
