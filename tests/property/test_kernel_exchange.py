"""Cut, packed, carried and written by bucket, an object gives what the kernel gives in one piece."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluice.contract.casts import strict_cast
from sluice.contract.plan import Column, Mode, PartitionField, Plan, Rule
from sluice.errors import DataError
from sluice.kernel.exchange import pack, write_bucket
from sluice.kernel.framing.split import CONTEXT, chunks, dialect_of, ranges, scan
from sluice.kernel.outcome import Limits, Outcome, SourceFile
from sluice.kernel.transform import transform

LIMITS = Limits(memory_bytes=256 << 20, threads=1)
CELLS = st.sampled_from(["1", "2", "3", "x", "", "2024-01-31", "2024-02-01", "two\nlines", 'a "quoted" one', "é,"])


def plan(mode: Mode, *, partition: str | None = None, key: tuple[str, ...] = ("id",)) -> Plan:
    kinds = {"id": "int", "day": "date", "text": "string"}
    columns = []
    for name, kind in kinds.items():
        cast, expected = strict_cast(f'"{name}"', kind)
        columns.append(Column(name=name, source=name, type=kind, cast=cast, expected=expected))
    parts = (PartitionField(column=partition, transform="identity", name=partition),) if partition else ()
    rule = Rule(name="maximum", column="id", predicate='"id" <= 2', expected="at most 2")
    return Plan(
        dataset="things",
        version="1",
        mode=mode,
        primary_key=key,
        columns=tuple(columns),
        rules=(rule,),
        partition=parts,
    )


def in_one_piece(path: Path, plan: Plan, folder: Path) -> Outcome:
    return transform([source(path)], plan, out=folder / "out", scratch=folder / "spill", run_id="r-1", limits=LIMITS)


def source(path: Path) -> SourceFile:
    return SourceFile(path=path, load_id="load", key="things/a.csv", version_id="v", order="o")


def in_parts(data: bytes, plan: Plan, folder: Path, *, part_bytes: int, buckets: int) -> tuple[int, list[Outcome]]:
    """What the tasks do, without a scheduler."""
    dialect = dialect_of(plan.reading, key="things/a.csv", head=data)
    assert dialect is not None
    scans = [
        scan([data[max(start - CONTEXT, dialect.origin) : end]], dialect=dialect, start=start, last=end == len(data))
        for start, end in ranges(size=len(data), dialect=dialect, chunk_bytes=part_bytes)
    ]
    cuts = chunks(scans, dialect=dialect, size=len(data))
    names = tuple(column.source or "" for column in plan.columns)
    boxes: dict[int, list[Path]] = {bucket: [] for bucket in range(buckets)}
    refused: DataError | None = None
    for number, cut in enumerate(cuts):
        part = folder / f"part-{number}"
        part.mkdir()
        (part / "source").write_bytes(data[cut.start : cut.end])
        try:
            _, packed = pack(
                source(part / "source"), plan, buckets=buckets, out=part / "packed", scratch=part / "spill",
                run_id="r-1", limits=LIMITS, first_row=cut.first_row - 1, names=names if cut.start else None,
            )  # fmt: skip
        except DataError as error:
            refused = refused or error
        else:
            for file in packed:
                boxes[file.bucket].append(file.path)
    outcomes = [
        write_bucket(
            [] if refused else files, plan, loads=["load"], out=folder / f"out-{bucket}",
            refusals=[(source(folder), refused)] if refused and bucket == 0 else (),
            scratch=folder / f"spill-{bucket}", run_id="r-1", limits=LIMITS,
        )
        for bucket, files in boxes.items()
    ]  # fmt: skip
    return len(cuts), outcomes


def rows(outcomes: list[Outcome], kind: str) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for outcome in outcomes:
        for file in outcome.files:
            if file.kind == kind:
                select = "SELECT * FROM read_parquet(?, hive_partitioning = false)"
                found.update(duckdb.execute(select, [str(file.path)]).fetchall())
    return found


def account(outcomes: list[Outcome]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for outcome in outcomes:
        for load in outcome.loads:
            total["read"] += load.rows_read
            total["accepted"] += load.rows_accepted
            total["rejected"] += load.rows_rejected
            total["superseded"] += load.rows_superseded
            total[load.refused] += bool(load.refused)
            total.update({("reject", count.column, count.rule): count.rows for count in load.rejects})
    return total


@settings(max_examples=15, deadline=None)
@given(
    records=st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=25),
    mode=st.sampled_from(["append", "merge", "replace"]),
    partition=st.sampled_from([None, "id", "day"]),
    part_bytes=st.integers(40, 200),
    buckets=st.integers(1, 5),
)
@example(records=[["1", "2024-01-31", "x"]] * 9, mode="append", partition="day", part_bytes=20, buckets=3)
@example(records=[["1", "2024-01-31", "x"]] * 9, mode="merge", partition="id", part_bytes=20, buckets=3)
def test_parts_and_buckets_give_the_rows_rejects_and_accounts_of_one_piece(
    records: list[list[str]], mode: Mode, partition: str | None, part_bytes: int, buckets: int
) -> None:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if set(text) & set('",\n') else text

    data = "".join(",".join(map(cell, record)) + "\n" for record in [["id", "day", "text"], *records]).encode()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "source").write_bytes(data)
        the_plan = plan(mode, partition=partition)
        whole = in_one_piece(folder / "source", the_plan, folder / "whole")
        _, shares = in_parts(data, the_plan, folder, part_bytes=part_bytes, buckets=buckets)
        assert rows(shares, "data") == rows([whole], "data")
        assert rows(shares, "rejects") == rows([whole], "rejects")
        assert account(shares) == account([whole])


def test_rows_of_one_partition_share_one_file_where_the_partition_follows_the_key(tmp_path: Path) -> None:
    lines = [b"%d,2024-%02d-01,x\n" % (row % 3, month) for row in range(3) for month in range(1, 13)]
    the_plan = plan("append", partition="day", key=("id", "day"))
    cuts, shares = in_parts(b"id,day,text\n" + b"".join(lines), the_plan, tmp_path, part_bytes=90, buckets=4)
    assert cuts > 2
    files = [file for share in shares for file in share.files if file.kind == "data"]
    assert len(files) == 12
    assert sum(bool(share.files) for share in shares) > 1


def test_a_bad_byte_in_a_later_part_refuses_the_whole_object(tmp_path: Path) -> None:
    data = b"id,day,text\n" + b"1,2024-01-31,x\n" * 20 + b"2,2024-01-31,\xff\n"
    cuts, shares = in_parts(data, plan("append", key=()), tmp_path, part_bytes=60, buckets=2)
    assert cuts > 2
    assert not rows(shares, "data")
    ((_, *_, rule, _, _, _, _, _),) = rows(shares, "rejects")
    assert rule == "file.encoding"


@pytest.mark.parametrize("mode", ["append", "merge"])
def test_a_key_that_repeats_in_another_part_is_found(tmp_path: Path, mode: Mode) -> None:
    data = b"id,day,text\n" + b"".join(b"%d,2024-01-31,x\n" % (row % 2 + 1) for row in range(30))
    cuts, shares = in_parts(data, plan(mode), tmp_path, part_bytes=60, buckets=3)
    assert cuts > 2
    total = account(shares)
    lost = "rejected" if mode == "append" else "superseded"
    assert (total["read"], total["accepted"], total[lost]) == (30, 2, 28)
