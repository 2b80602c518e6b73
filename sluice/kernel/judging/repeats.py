"""Records of one object that carry the same primary key: which of them stays, and files without the others.

Works on the files that accepted records were written to, so that keys are read and whole rows are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from sluice.contract.plan import PROVENANCE, Plan
from sluice.contract.sql import literal, quote
from sluice.kernel.judging.examine import rejects_repeats
from sluice.kernel.layout.partition import Written, partition_expressions, write_parquet


def find_repeats(connection: duckdb.DuckDBPyConnection, files: Sequence[Written], plan: Plan, *, one_load: bool) -> int:
    """Fill the table `repeats` with the records that lose against another one of their object; return how many.

    With `one_load` all records are of one object, whose id is then not compared for each of them (docs/speed.md).
    In `merge` the record with the largest `sequence_by` stays, then the last one; otherwise the first one stays.
    """
    connection.execute("""
    CREATE OR REPLACE TEMP TABLE repeats (
        _sluice_load VARCHAR, _sluice_row BIGINT, filename VARCHAR, file_row_number BIGINT)""")
    if not (plan.primary_key and files):
        return 0
    keys = ", ".join([*([] if one_load else ["_sluice_load"]), *map(quote, plan.primary_key)])
    best = "_sluice_row"
    if not rejects_repeats(plan):
        best = "_sluice_row DESC"
        if plan.sequence_by:
            best = f"{quote(plan.sequence_by)} DESC NULLS LAST, {best}"
    connection.execute(f"""
    INSERT INTO repeats
    WITH repeated AS (
        SELECT {keys} FROM {scan(files)} GROUP BY ALL HAVING count(*) > 1
    ), ranked AS (
        SELECT
            _sluice_load, _sluice_row, filename, file_row_number,
            row_number() OVER (PARTITION BY {keys} ORDER BY {best}) AS rank
        FROM {scan(files, places=True)} SEMI JOIN repeated USING ({keys})
    )
    SELECT _sluice_load, _sluice_row, filename, file_row_number FROM ranked WHERE rank > 1""")
    (found,) = connection.execute("SELECT count(*) FROM repeats").fetchone() or (0,)
    return int(found)


def without(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Written],
    plan: Plan,
    *,
    table: str = "repeats",
    folder: Path,
    field_ids: Mapping[str, int] | None,
) -> tuple[Written, ...]:
    """Write the files that hold records of the table again without those, and delete the old ones."""
    found = connection.execute(f"SELECT DISTINCT filename FROM {table}").fetchall()
    stale = {Path(name) for (name,) in found}
    changed = [file for file in files if file.path in stale]
    if not changed:
        return tuple(files)
    names = ", ".join([quote(column.name) for column in plan.columns] + [name for name, _ in PROVENANCE])
    rewritten = write_parquet(
        connection,
        f"SELECT {names} FROM {scan(changed, places=True)} ANTI JOIN {table} USING (filename, file_row_number)",
        folder=folder,
        partitions=partition_expressions(plan),
        field_ids=field_ids,
    )
    for file in changed:
        file.path.unlink()
    return (*(file for file in files if file.path not in stale), *rewritten)


def scan(files: Sequence[Written], *, places: bool = False) -> str:
    """Return SQL that reads the files; with `places`, each row's file and number in it, too."""
    listed = ", ".join(literal(str(file.path)) for file in files)
    options = ", filename = true, file_row_number = true" if places else ""
    return f"read_parquet([{listed}], hive_partitioning = false{options})"
