"""The kernel's two halves with Arrow between them, for schedulers that move records themselves (Spark).

`examine_batches` turns one object, or one part of it, into examined records; `write_batches` turns examined records into
files and accounts. Between the two, records may be split up and brought together as long as all records of one load and
one primary key meet in the same `write_batches` call. `transform` does the same in one process without Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from sluice.contract.plan import Plan
from sluice.kernel.outcome import Limits, Outcome, SourceFile
from sluice.kernel.session import session
from sluice.kernel.transform import create_examined, examine
from sluice.kernel.write import Refusals, write

_ROWS = 16_384  # records in one Arrow batch


def examine_batches(
    source: SourceFile,
    plan: Plan,
    *,
    scratch: Path,
    run_id: str,
    first_row: int = 0,
    names: Sequence[str] | None = None,
    limits: Limits | None = None,
) -> pa.RecordBatchReader:
    """Read, cast and check one object, or one part of a delimited one.

    A part is a local file of its own that begins and ends between records and has no header: pass the object's header
    `names` and the number of records before it as `first_row`. `source.key` stays the object's key: its suffix tells
    the compression, unless the plan does; parts are plain UTF-8 (use a plan with `compression="none"`, `encoding="utf-8"`).

    Columns: the plan's, the PROVENANCE columns, `_sluice_raw` (string), `_sluice_broken` and `_sluice_warned` (lists of
    struct{column, rule, reason, value, stops}, NULL where nothing is broken). A record is accepted so far if
    `_sluice_broken` is NULL. Raises DataError if the whole object must be refused: before the first batch, always.

    The reader owns a DuckDB session: consume it, or close it.
    """
    limits = limits or Limits()
    with ExitStack() as stack:
        connection = stack.enter_context(session(limits=limits, scratch=scratch, directories=[source.path.parent]))
        create_examined(connection, plan)
        examine(
            connection,
            source,
            plan,
            scratch=scratch / "source",
            run_id=run_id,
            limits=limits,
            first_row=first_row,
            names=names,
        )
        reader = connection.execute("FROM examined").to_arrow_reader(_ROWS)
        opened = stack.pop_all()

    def batches() -> Iterator[pa.RecordBatch]:
        with opened:
            yield from reader

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def write_batches(
    reader: pa.RecordBatchReader,
    plan: Plan,
    *,
    loads: Sequence[str],
    out: Path,
    scratch: Path,
    run_id: str,
    refusals: Refusals = (),
    field_ids: Mapping[str, int] | None = None,
    reject_field_ids: Mapping[str, int] | None = None,
    limits: Limits | None = None,
) -> Outcome:
    """Judge uniqueness, partition, write and count examined records (the columns of `examine_batches`).

    `loads` are the ids of the loads to account for, in order; one without records gets a summary of zeros. `refusals`
    are (source, DataError) of objects that could not be read: pass each to exactly one call. Files as in `transform`.
    """
    limits = limits or Limits()
    out.mkdir(parents=True, exist_ok=True)
    with session(limits=limits, scratch=scratch, directories=[out]) as connection:
        create_examined(connection, plan)
        connection.register("incoming", reader)
        connection.execute("INSERT INTO examined BY NAME FROM incoming")
        return write(
            connection,
            "examined",
            plan,
            loads=loads,
            refusals=refusals,
            run_id=run_id,
            out=out,
            field_ids=field_ids,
            reject_field_ids=reject_field_ids,
        )
