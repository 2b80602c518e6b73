"""The kernel in two halves with Parquet files between them, for schedulers that spread the work over machines.

`pack` examines one object, or a part of one, and sorts its records into buckets; `write_bucket` judges, writes and
counts the records of one bucket, from wherever they came. Records that may repeat one another meet in one bucket. Who
carries the files, and when, is the scheduler's affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.contract.plan import Plan
from sluice.contract.sql import literal, quote
from sluice.kernel.judging.examine import BAD, EXAMINED_TEXTS
from sluice.kernel.judging.protect import checked_salt
from sluice.kernel.judging.quality import needs_whole_objects
from sluice.kernel.judging.rejects import Refusals
from sluice.kernel.layout.partition import partition_expressions
from sluice.kernel.outcome import Limits, Outcome, SourceFile
from sluice.kernel.readers.documents import Seen
from sluice.kernel.session import session
from sluice.kernel.transform import create_examined, examine
from sluice.kernel.writing.write import Output, write

# One partition's rows may go to this share of the buckets: fewer, larger files against an even load.
_SPREAD = 16
_BUCKET = re.compile(r"_sluice_bucket=(\d+)")


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A Parquet file with examined records of one bucket."""

    bucket: int
    path: Path


def pack(
    source: SourceFile,
    plan: Plan,
    *,
    buckets: int,
    out: Path,
    scratch: Path,
    run_id: str,
    limits: Limits,
    salt: str | None = None,
    first_row: int = 0,
    names: Sequence[str] | None = None,
    seen: Seen | None = None,
) -> tuple[int, list[Packed]]:
    """Examine an object and write its records to `out`, a new folder, by bucket; return how many there are.

    `names` and `first_row` belong to a part of an object, as in `examine`; `seen` gathers the members of JSON for
    whoever has all parts of the object. Raises DataError as `examine` does.
    """
    out.mkdir(parents=True)
    with session(limits=limits, scratch=scratch, directories=[source.path.parent, out]) as connection:
        create_examined(connection, plan)
        rows = examine(
            connection,
            source,
            plan,
            scratch=scratch / "source",
            run_id=run_id,
            limits=limits,
            salt=checked_salt(plan, salt),
            first_row=first_row,
            names=names,
            seen=seen,
        )
        connection.execute(f"""
        COPY (SELECT *, {bucket_expression(plan, buckets)} AS _sluice_bucket FROM examined)
        TO {literal(str(out))} (FORMAT parquet, COMPRESSION lz4_raw, PARTITION_BY (_sluice_bucket))""")
    files = sorted(out.rglob("*.parquet"))
    return rows, [Packed(bucket=_bucket_of(file), path=file) for file in files]


def write_bucket(
    files: Sequence[Path],
    plan: Plan,
    *,
    loads: Sequence[str],
    refusals: Refusals,
    out: Path,
    scratch: Path,
    run_id: str,
    limits: Limits,
    field_ids: Mapping[str, int] | None = None,
    reject_field_ids: Mapping[str, int] | None = None,
) -> Outcome:
    """Write the records of one bucket, which `pack` wrote to `files`, and account for those of them in `loads`.

    Each refusal must be given to one bucket only.
    """
    out.mkdir(parents=True)
    with session(limits=limits, scratch=scratch, directories=[out, *{file.parent for file in files}]) as connection:
        if files:
            paths = ", ".join(literal(str(file)) for file in files)
            packed = f"read_parquet([{paths}], hive_partitioning = false)"
            connection.execute(f"CREATE TEMP VIEW examined AS SELECT * FROM {packed}")
        else:
            create_examined(connection, plan)
        return write(
            connection,
            [("FROM examined", {})],
            plan,
            original=EXAMINED_TEXTS,
            loads=loads,
            refusals=refusals,
            output=Output(folder=out, run_id=run_id, field_ids=field_ids, reject_field_ids=reject_field_ids),
        )


def bucket_expression(plan: Plan, buckets: int) -> str:
    """Return SQL over an examined record that yields its bucket, 0 to `buckets` - 1.

    Records of one object with the same primary key share a bucket, so uniqueness can be judged there; all accepted ones
    of an object do if the plan judges them together, which leaves one task the whole object to write. Where the
    partition depends on nothing but the key, or there is no key, the records of one partition share few buckets, so its
    files are few. Rejects judge nobody and go to few buckets, too.
    """
    if buckets == 1:
        return "0"
    spread = max(1, buckets // _SPREAD)
    rejects = f"hash(_sluice_load, _sluice_row) % {spread}"
    if needs_whole_objects(plan):
        return f"CASE WHEN {BAD} THEN {rejects} ELSE hash(_sluice_load) % {buckets} END"
    partitions = partition_expressions(plan)
    key = [quote(name) for name in plan.primary_key]
    single = key or ["_sluice_load", "_sluice_row"]
    follows_key = not key or {part.column for part in plan.partition} <= set(plan.primary_key)
    good = f"hash({', '.join(single)}) % {buckets}"
    if partitions and follows_key:
        good = f"(hash({', '.join(partitions)}) % {buckets} + hash({', '.join(single)}) % {spread}) % {buckets}"
    return f"CASE WHEN {BAD} THEN {rejects} ELSE {good} END"


def _bucket_of(file: Path) -> int:
    found = _BUCKET.fullmatch(file.parent.name)
    if found is None:
        raise RuntimeError(f"expected a bucket's folder, got {file.parent.name}")
    return int(found[1])
