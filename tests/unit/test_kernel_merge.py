"""Merging and removing rows in files: the right rows go, and files without them are left alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sluice.contract.plan import PROVENANCE, Plan
from sluice.kernel.layout.merge import merge_files, rejects_without_objects, without_objects
from sluice.kernel.outcome import MergeOutcome
from tests.unit.kernel_case import FIELD_IDS, LIMITS, REJECT_IDS, by_month, column, plan, run

HEADER = "id,day,amount,note\n"
MERGE = plan(mode="merge", rules=(), partition=by_month())


def files(folder: Path, objects: dict[str, str], plan: Plan, *, kind: str = "data") -> list[Path]:
    folder.mkdir()
    bodies = {key: HEADER + body for key, body in objects.items()}
    case = run(folder, bodies, plan, field_ids=FIELD_IDS, reject_field_ids=REJECT_IDS)
    return [file.path for file in case.outcome.files if file.kind == kind]


def table(current: Sequence[Path], done: MergeOutcome, columns: str = "id, note") -> list[tuple[Any, ...]]:
    paths = [str(path) for path in current if path not in done.replaced] + [str(file.path) for file in done.files]
    query = f"SELECT {columns} FROM read_parquet($1, hive_partitioning = false) ORDER BY ALL"
    return duckdb.execute(query, [paths]).fetchall()


def merge(tmp_path: Path, current: Sequence[Path], incoming: Sequence[Path], plan: Plan = MERGE) -> MergeOutcome:
    return merge_files(
        current=current, incoming=incoming, plan=plan, out=tmp_path / "m", field_ids=FIELD_IDS, limits=LIMITS
    )


def test_incoming_row_replaces_the_one_with_its_key_even_in_another_partition(tmp_path: Path) -> None:
    current = files(tmp_path / "a", {"1": "1,2024-01-01,,old\n2,2024-01-01,,kept\n3,2024-03-01,,apart\n"}, MERGE)
    incoming = files(tmp_path / "b", {"2": "1,2024-02-01,,new\n4,2024-04-01,,more\n"}, MERGE)
    done = merge(tmp_path, current, incoming)
    assert table(current, done) == [(1, "new"), (2, "kept"), (3, "apart"), (4, "more")]
    assert [len(done.replaced), done.rows_removed, done.rows_stale] == [1, 1, 0]
    assert set(incoming) <= {file.path for file in done.files}


def test_late_arrival_does_not_replace_a_newer_row(tmp_path: Path) -> None:
    newer = replace(MERGE, sequence_by="amount")
    current = files(tmp_path / "a", {"1": "1,2024-01-01,5,newer\n2,2024-01-01,,undated\n"}, newer)
    incoming = files(tmp_path / "b", {"2": "1,2024-01-01,4,late\n2,2024-01-01,1,dated\n"}, newer)
    done = merge(tmp_path, current, incoming, newer)
    assert table(current, done) == [(1, "newer"), (2, "dated")]
    assert (done.rows_removed, done.rows_stale) == (1, 1)


def test_order_decides_where_the_sequence_is_equal_then_the_row_number(tmp_path: Path) -> None:
    by_day = replace(MERGE, sequence_by="day", primary_key=("id",))
    both = {"older": "1,2024-01-01,,a\n", "newer": "1,2024-01-01,,b\n"}
    incoming = files(tmp_path / "a", both, by_day)
    assert table([], merge(tmp_path, [], incoming, by_day)) == [(1, "b")]


def test_merging_the_same_files_again_changes_no_row(tmp_path: Path) -> None:
    current = files(tmp_path / "a", {"1": "1,2024-01-01,,a\n2,2024-02-01,,b\n"}, MERGE)
    done = merge(tmp_path, current, current)
    assert table(current, done) == [(1, "a"), (2, "b")]


def test_files_without_a_superseded_row_are_not_touched(tmp_path: Path) -> None:
    current = files(tmp_path / "a", {"1": "1,2024-01-01,,a\n2,2024-02-01,,b\n"}, MERGE)
    incoming = files(tmp_path / "b", {"2": "3,2024-01-01,,c\n"}, MERGE)
    done = merge(tmp_path, current, incoming)
    assert done.replaced == ()
    assert [file.path for file in done.files] == incoming


def test_merged_files_hold_one_partition_each_and_the_fields_ids(tmp_path: Path) -> None:
    body = "".join(f"{n},2024-0{n}-01,,a\n{n + 10},2024-0{n}-02,,a\n" for n in (1, 2))
    current = files(tmp_path / "a", {"1": body}, MERGE)
    incoming = files(tmp_path / "b", {"2": "1,2024-01-01,,b\n2,2024-02-01,,b\n"}, MERGE)
    for file in merge(tmp_path, current, incoming).files:
        months = f"SELECT count(DISTINCT date_trunc('month', day)) FROM '{file.path}'"
        assert duckdb.sql(months).fetchone() == (1,)
        schema = duckdb.execute("SELECT name, field_id FROM parquet_schema($1)", [str(file.path)]).fetchall()[1:]
        assert dict(schema) == FIELD_IDS


def test_old_files_are_read_by_field_id(tmp_path: Path) -> None:
    columns = (column("id", "int"), column("when", "date", source="day"), column("amount", "decimal(8,2)"))
    before = replace(MERGE, columns=columns, partition=by_month("when"), rules=())
    ids = {name: number for name, number in FIELD_IDS.items() if name not in {"day", "note"}}
    ids["when"] = FIELD_IDS["day"]
    folder = tmp_path / "a"
    folder.mkdir()
    body = "id,day,amount\n1,2024-01-01,1\n2,2024-01-02,2\n"
    current = [file.path for file in run(folder, body, before, field_ids=ids).outcome.files]
    incoming = files(tmp_path / "b", {"2": "1,2024-01-03,,new\n"}, MERGE)
    done = merge(tmp_path, current, incoming)
    assert table(current, done, "id, day::VARCHAR, note") == [(1, "2024-01-03", "new"), (2, "2024-01-02", None)]


def test_all_rows_of_objects_are_taken_out_and_other_files_stay(tmp_path: Path) -> None:
    append = replace(MERGE, mode="append")
    both = {"it's": "1,2024-01-01,,a\n2,2024-02-01,,b\n", "other": "3,2024-01-01,,c\n4,2024-03-01,,d\n"}
    current = files(tmp_path / "a", both, append)
    done = without_objects(
        current=current, objects=["it's", "never"], plan=append, out=tmp_path / "w", field_ids=FIELD_IDS, limits=LIMITS
    )
    assert table(current, done) == [(3, "c"), (4, "d")]
    assert (len(current), len(done.replaced), len(done.files), done.rows_removed) == (3, 2, 1, 2)


def test_rows_of_loads_can_be_taken_out_too(tmp_path: Path) -> None:
    append = replace(MERGE, mode="append")
    current = files(tmp_path / "a", {"x": "1,,,a\n", "y": "2,,,b\n"}, append)
    done = without_objects(current=current, objects=["load of x"], by="_sluice_load", plan=append, out=tmp_path / "w")
    assert table(current, done) == [(2, "b")]


def test_rejects_of_objects_are_taken_out(tmp_path: Path) -> None:
    append = replace(MERGE, mode="append")
    current = files(tmp_path / "a", {"x": "bad,,,a\n", "y": "bad,never,,b\n"}, append, kind="rejects")
    done = rejects_without_objects(
        current=current, objects={"x"}, out=tmp_path / "w", field_ids=REJECT_IDS, limits=LIMITS
    )
    assert table(current, done, "object, ordinal") == [("y", 1), ("y", 2)]
    assert [file.kind for file in done.files] == ["rejects"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sequence", [None, "amount"])
def test_merging_batches_in_any_order_gives_the_latest_row_of_each_key(
    tmp_path: Path, seed: int, sequence: str | None
) -> None:
    rng = random.Random(seed)
    merging = replace(MERGE, sequence_by=sequence)
    objects: dict[str, list[tuple[int, str, str, str]]] = {}
    for number in range(5):
        objects[f"o{number}"] = [
            (rng.randrange(12), f"2024-0{rng.randrange(1, 4)}-01", rng.choice(["", "1", "2"]), f"n{number}.{row}")
            for row in range(8)
        ]
    expected: dict[int, tuple[Any, ...]] = {}
    for order, (_, rows) in enumerate(objects.items()):
        for row, (key, _, amount, note) in enumerate(rows):
            rank = ((amount != "", amount) if sequence else (), order, row, note)
            expected[key] = max(expected.get(key, ((), -1)), rank) if key in expected else rank
    batches = list(objects.items())
    order_of = {name: str(place) for place, name in enumerate(objects)}
    rng.shuffle(batches)
    state: list[Path] = []
    for number, (name, rows) in enumerate(batches):
        folder = tmp_path / name
        folder.mkdir()
        body = HEADER + "".join(",".join(map(str, row)) + "\n" for row in rows)
        case = run(folder, {f"pad{place}": HEADER for place in range(int(order_of[name]))} | {name: body}, merging)
        incoming = [file.path for file in case.outcome.files]
        done = merge_files(current=state, incoming=incoming, plan=merging, out=tmp_path / f"m{number}", limits=LIMITS)
        state = [path for path in state if path not in done.replaced] + [file.path for file in done.files]
    query = "SELECT id, note FROM read_parquet($1, hive_partitioning = false) ORDER BY id"
    assert duckdb.execute(query, [[str(path) for path in state]]).fetchall() == [
        (key, rank[-1]) for key, rank in sorted(expected.items())
    ]


def test_merged_rows_keep_their_provenance(tmp_path: Path) -> None:
    names = ", ".join(name for name, _ in PROVENANCE)
    current = files(tmp_path / "a", {"1": "1,2024-01-01,,a\n2,2024-01-01,,b\n"}, MERGE)
    query = f"SELECT {names} FROM read_parquet($1) WHERE id = 2"
    before = duckdb.execute(query, [[str(path) for path in current]]).fetchall()
    done = merge(tmp_path, current, files(tmp_path / "b", {"2": "1,2024-01-01,,c\n"}, MERGE))
    assert duckdb.execute(query, [[str(file.path) for file in done.files]]).fetchall() == before
    assert len(before) == 1
