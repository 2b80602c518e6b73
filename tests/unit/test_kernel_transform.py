"""What the kernel says of rows: accepted, rejected with every reason, superseded; and of whole objects."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sluice.contract.plan import PROVENANCE, Column, PartitionField, Reading, Rule
from sluice.kernel import transform as transform_module
from sluice.kernel.outcome import Limits, RejectCount
from tests.unit.kernel_case import FIELD_IDS, REJECT_IDS, by_month, column, plan, run

HEADER = "id,day,amount,note\n"


def test_accepted_row_carries_typed_values_and_its_origin(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER + "7,2024-02-29,1.50,hello\n", plan())
    assert case.rows() == [(7, dt.date(2024, 2, 29), Decimal("1.50"), "hello")]
    assert case.rows(", ".join(name for name, _ in PROVENANCE)) == [
        ("load of things/a.csv", "things/a.csv", "v1", "0", 1, "1.2.0", "things-1")
    ]


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    case = run(tmp_path, "note,amount,id,day\nhello,1.50,7,2024-02-29\n", plan())
    assert case.rows() == [(7, dt.date(2024, 2, 29), Decimal("1.50"), "hello")]


def test_null_texts_become_null_and_nothing_else_does(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER + "1,NA,,na\n2,,NA, \n", plan())
    assert case.rows() == [(1, None, None, "na"), (2, None, None, " ")]


def test_every_broken_rule_of_a_row_is_reported_with_ordinals(tmp_path: Path) -> None:
    rules = (*plan().rules, Rule(name="enum", column="note", predicate="\"note\" IN ('a')", expected="one of a"))
    case = run(tmp_path, HEADER + "x,2024-02-30,-1,b\n", plan(rules=rules))
    assert case.rejects('ordinal, "column", rule, reason, "value", raw, row_number') == [
        (1, "id", "type", "expected a whole number of 64 bits, got 'x'", "x", "x,2024-02-30,-1,b", 1),
        (2, "day", "type", "expected a date like 2024-02-29, got '2024-02-30'", "2024-02-30", "x,2024-02-30,-1,b", 1),
        (3, "amount", "minimum", "expected at least 0, got '-1'", "-1", "x,2024-02-30,-1,b", 1),
        (4, "note", "enum", "expected one of a, got 'b'", "b", "x,2024-02-30,-1,b", 1),
    ]
    assert case.load.rejects == (RejectCount(column="id", rule="type", rows=1),)
    assert case.rows() == []


def test_key_columns_are_required_without_a_rule_that_says_so(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER + "NA,2024-01-01,1,a\n", plan())
    assert case.rejects('row_number, "column", rule, reason') == [(1, "id", "required", "expected a value, got 'NA'")]


def test_mistyped_required_cell_is_not_called_missing(tmp_path: Path) -> None:
    rules = (Rule(name="required", column="day", predicate='"day" IS NOT NULL', expected="a value"),)
    case = run(tmp_path, HEADER + "1,soon,1,a\n", plan(rules=rules))
    assert case.rejects() == [(1, "day", "type")]


def test_rows_with_too_few_or_too_many_cells_are_rejects_and_their_neighbours_are_not(tmp_path: Path) -> None:
    text = HEADER + "1,,,a\n2,,\n3,,,a,b\n4,,,a,b,c,d\n5,,,\n"
    case = run(tmp_path, text, plan())
    assert case.rows("_sluice_row, id") == [(1, 1), (5, 5)]
    assert case.rejects("row_number, rule, reason, raw") == [
        (2, "row.fields", "expected 4 cells, got 3", "2,,"),
        (3, "row.fields", "expected 4 cells, got more", "3,,,a,b"),
        (4, "row.fields", "expected 4 cells, got more", "4,,,a,b,c,d"),
    ]


def test_later_row_of_a_repeated_key_is_a_reject_with_its_text(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER + "1,,,first\n2,,,b\n1,2024-01-01,,second\n1,,3,third\n", plan())
    assert case.rows("id, note") == [(1, "first"), (2, "b")]
    assert case.rejects('row_number, "column", rule, "value", raw') == [
        (3, "id", "primaryKey", "1", "1,2024-01-01,,second"),
        (4, "id", "primaryKey", "1", "1,,3,third"),
    ]
    assert (case.load.rows_read, case.load.rows_accepted, case.load.rows_rejected) == (4, 2, 2)


def test_rejected_row_does_not_take_the_key_from_an_accepted_one(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER + "1,never,,bad\n1,,,good\n", plan())
    assert case.rows("note") == [("good",)]


def test_same_key_in_two_objects_is_accepted_twice(tmp_path: Path) -> None:
    case = run(tmp_path, {"things/a": HEADER + "1,,,a\n", "things/b": HEADER + "1,,,b\n"}, plan())
    assert case.rows("note") == [("a",), ("b",)]


def test_merge_supersedes_all_but_the_latest_row_of_a_key(tmp_path: Path) -> None:
    text = HEADER + "1,2024-02-01,,newest\n1,2024-01-01,,old\n1,,,undated\n2,,,first\n2,,,last\n"
    case = run(tmp_path, text, plan(mode="merge", sequence_by="day"))
    assert case.rows("note") == [("newest",), ("last",)]
    assert case.rejects() == []
    assert (case.load.rows_read, case.load.rows_accepted, case.load.rows_superseded) == (5, 2, 3)


def test_warning_counts_the_row_and_accepts_it(tmp_path: Path) -> None:
    rules = (Rule(name="minimum", column="amount", predicate='"amount" >= 0', expected="at least 0", severity="warn"),)
    case = run(tmp_path, HEADER + "1,,-1,a\n2,,1,a\n", plan(rules=rules))
    assert len(case.rows()) == 2
    assert case.load.warnings == (RejectCount(column="amount", rule="minimum", rows=1),)
    assert case.load.rejects == ()


def test_breach_that_stops_is_a_reject_and_says_so(tmp_path: Path) -> None:
    rules = (Rule(name="minimum", column="amount", predicate='"amount" >= 0', expected="at least 0", severity="stop"),)
    case = run(tmp_path, HEADER + "x,,-1,a\n2,,1,a\n", plan(rules=rules))
    assert case.load.stops == (RejectCount(column="amount", rule="minimum", rows=1),)
    assert case.load.rows_rejected == 1


def test_rule_about_the_row_names_no_column(tmp_path: Path) -> None:
    rules = (Rule(name="paid", column=None, predicate='"amount" > "id"', expected="more amount than id"),)
    case = run(tmp_path, HEADER + "5,,1,a\n1,,5,a\n6,,,a\n", plan(rules=rules))
    assert case.rejects('row_number, "column", rule, reason') == [(1, None, "paid", "expected more amount than id")]


def test_derived_column_is_computed_from_typed_columns(tmp_path: Path) -> None:
    derived = Column(name="double", source=None, type="decimal(9,2)", cast='CAST("amount" * 2 AS DECIMAL(9,2))')
    case = run(tmp_path, HEADER + "1,,1.25,a\n", plan(columns=(derived, *plan().columns)))
    assert case.rows("double") == [(Decimal("2.50"),)]


def test_source_name_may_be_another_columns_name(tmp_path: Path) -> None:
    columns = (column("id", "long", source="note"), column("note", "string", source="id"))
    case = run(tmp_path, "id,note\nabc,7\n", plan(columns=columns, rules=()))
    assert case.rows("id, note") == [(7, "abc")]


def test_quoted_names_cannot_leave_their_quotes(tmp_path: Path) -> None:
    name = 'a"; DROP TABLE examined; --'
    columns = (column("id", "long"), column("note", "string", source=name))
    case = run(tmp_path, 'id,"a""; DROP TABLE examined; --"\n1,x\n', plan(columns=columns, rules=()))
    assert case.rows("id, note") == [(1, "x")]


NONE = "none of the expected columns 'id', 'day', 'amount', 'note'"


@pytest.mark.parametrize(
    ("header", "told", "reason"),
    [
        ("id,day,note\n", "missing 'amount'", "missing 'amount'"),
        ("id,day,amount,note,more\n", "unknown columns: 5", "unknown column 5 'more'"),
        ("id,day,amount,note,id\n", "more than one column is named 'id'", "more than one column is named 'id'"),
        ("a,b\n", f"{NONE}, found 2 others", f"{NONE}, found 'a', 'b'"),
        ("", "expected a header, got an empty file", "expected a header, got an empty file"),
    ],
)
def test_wrong_header_refuses_the_object_and_names_the_columns_in_the_rejects_only(
    tmp_path: Path, header: str, told: str, reason: str
) -> None:
    objects = {"things/bad": header + "1,2,3\n" if header else "", "things/good": HEADER + "1,,,\n"}
    case = run(tmp_path, objects, plan())
    bad, good = case.outcome.loads
    assert bad.refused == f"file.columns: {told}"
    assert (bad.rows_read, bad.rows_accepted, bad.rows_rejected, bad.rows_superseded) == (0, 0, 0, 0)
    assert good.rows_accepted == 1
    assert case.rejects("object, row_number, ordinal, rule, reason") == [
        ("things/bad", None, 1, "file.columns", reason)
    ]


def test_missing_and_unknown_columns_are_taken_as_the_contract_says(tmp_path: Path) -> None:
    reading = Reading(unknown_columns="ignore", missing_columns="null")
    case = run(tmp_path, "more,id\nx,1\n", plan(reading=reading))
    assert case.rows() == [(1, None, None, None)]


def test_header_only_object_is_read_and_empty(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER, plan(partition=by_month()))
    assert case.outcome.files == ()
    assert (case.load.rows_read, case.load.refused) == (0, None)


def test_each_data_file_holds_one_partition_and_the_objects_share_files(tmp_path: Path) -> None:
    day = "1,2024-01-01,,a\n2,2024-02-01,,b\n3,,,c\n"
    case = run(tmp_path, {"things/a": HEADER + day, "things/b": HEADER + day}, plan(partition=by_month()))
    files = [file for file in case.outcome.files if file.kind == "data"]
    months = [
        duckdb.execute("SELECT DISTINCT date_trunc('month', day) FROM read_parquet($1)", [str(file.path)]).fetchall()
        for file in files
    ]
    assert sorted(map(len, months)) == [1, 1, 1]
    assert [file.rows for file in files] == [2, 2, 2]


@pytest.mark.parametrize(
    ("part", "transform", "groups"),
    [
        ("amount", "truncate[150]", {frozenset({1, 2}), frozenset({3}), frozenset({4})}),
        ("id", "truncate[2]", {frozenset({1}), frozenset({2, 3}), frozenset({4})}),
        ("note", "truncate[1]", {frozenset({1, 2}), frozenset({3}), frozenset({4})}),
        ("note", "identity", {frozenset({1}), frozenset({2}), frozenset({3}), frozenset({4})}),
        ("day", "year", {frozenset({1, 2}), frozenset({3}), frozenset({4})}),
        ("day", "day", {frozenset({1}), frozenset({2}), frozenset({3}), frozenset({4})}),
    ],
)
def test_rows_share_a_file_exactly_where_iceberg_puts_them_in_one_partition(
    tmp_path: Path, part: str, transform: str, groups: set[frozenset[int]]
) -> None:
    # In units of its scale, decimal truncate[150] floors to multiples of 1.50.
    long = "b" * 300
    text = HEADER + f"1,2024-01-01,0.00,aa\n2,2024-01-31,1.49,ab\n3,2023-01-01,1.50,{long}\n4,,-0.01,/..\n"
    fields = (PartitionField(column=part, transform=transform, name="p"),)
    case = run(tmp_path, text, plan(partition=fields, rules=()))
    found = {
        frozenset(row[0] for row in duckdb.execute("SELECT id FROM read_parquet($1)", [str(file.path)]).fetchall())
        for file in case.outcome.files
    }
    assert found == groups


def test_files_carry_the_tables_field_ids_and_nothing_more(tmp_path: Path) -> None:
    case = run(
        tmp_path,
        HEADER + "1,2024-01-01,1,a\n1,2024-01-01,1,b\nx,,,\n",
        plan(partition=by_month()),
        field_ids=FIELD_IDS,
        reject_field_ids=REJECT_IDS,
    )
    for file in case.outcome.files:
        schema = duckdb.execute("SELECT name, field_id FROM parquet_schema($1)", [str(file.path)]).fetchall()[1:]
        assert dict(schema) == (FIELD_IDS if file.kind == "data" else REJECT_IDS)


def test_large_object_goes_to_files_of_its_own_with_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = HEADER + "".join(f"{n},2024-01-{n % 28 + 1:02d},{n}.5,n{n}\n" for n in range(500)) + "3,,,again\nx,,,\n1,2\n"
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    small = run(tmp_path / "small", text, plan(partition=by_month()))
    monkeypatch.setattr(transform_module, "_LARGE", 1)
    large = run(tmp_path / "large", text, plan(partition=by_month()))
    assert large.outcome.loads == small.outcome.loads
    assert large.rows() == small.rows()
    assert large.rejects("*") == small.rejects("*")
    assert all("source-0" in file.path.parts for file in large.outcome.files)


def test_rows_beyond_the_limit_refuse_the_object(tmp_path: Path) -> None:
    case = run(tmp_path, HEADER + "1,,,\n" * 20, plan(primary_key=()), limits=Limits(max_rows=10))
    assert case.load.refused == "file.limit: more than 10 lines"


def test_progress_tells_rows_after_each_source(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    run(
        tmp_path,
        {"things/a": HEADER + "1,,,\n", "things/b": HEADER + "1,,,\n2,,,\n"},
        plan(),
        progress=lambda load, rows: told.append((load, rows)),
    )
    assert told == [("load of things/a", 1), ("load of things/b", 3)]


def test_plan_without_null_texts_takes_empty_text_as_text(tmp_path: Path) -> None:
    text = HEADER + '1,2024-01-01,1,\n2,2024-01-01,1,""\n'
    case = run(tmp_path, text, plan(reading=Reading(null_texts=())))
    assert case.rows("note") == [("",), ("",)]
