"""Conservation and truth of the kernel, against readings and judgements in plain Python written for this test only."""

from __future__ import annotations

import contextlib
import re
import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.contract.plan import Plan, Reading, Rule
from sluice.kernel import transform as transform_module
from sluice.kernel.outcome import Limits
from sluice.kernel.readers.read import attempts
from sluice.kernel.session import session
from tests.unit.kernel_case import LIMITS, by_month, column, plan, run, source

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

# A cell as it should be read.
TEXTS = st.one_of(
    st.sampled_from(["1", "-7", "+5", "007", "1.5", "1e3", " 1", "9" * 18, "9" * 20, "2024-02-29", "2023-02-29", "NA"]),
    st.sampled_from(["2024-2-9", "12.345", "1.50", ".5", "-0.01", "abc", "nan", "infinity", "null", "0x1F", "1_0"]),
    st.text(st.sampled_from('a ,"\n;é\t😀'), max_size=5),
    st.integers(-50, 50).map(str),
    st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(str),
    st.decimals(-99, 99, places=2).map(str),
)
KEYS = st.one_of(st.sampled_from(["1", "+1", "01", "2", "NA", ""]), TEXTS)
ROWS = st.lists(st.tuples(KEYS, TEXTS, TEXTS, TEXTS).map(list), max_size=8)


def things(mode: str, **reading: Any) -> Plan:
    rules = (
        Rule(name="minimum", column="amount", predicate='"amount" >= 0', expected="at least 0"),
        Rule(name="enum", column="note", predicate="\"note\" NOT IN ('abc')", expected="anything but abc"),
    )
    null_texts = ("", "NA")
    reading = {"null_texts": null_texts, **reading}
    return plan(mode=mode, rules=rules, partition=by_month(), reading=Reading(**reading))


def judged(cells: list[str]) -> tuple[tuple[Any, ...], list[tuple[str, str]]]:
    """Typed values and broken rules of one record, by rules that are said again here."""
    number, day, amount, note = (None if cell in {"", "NA"} else cell for cell in cells)
    broken = []
    values: list[Any] = [None, None, None, note]
    if number is None:
        broken.append(("id", "required"))
    elif re.fullmatch("[+-]?[0-9]+", number) and -(1 << 63) <= int(number) < 1 << 63:
        values[0] = int(number)
    else:
        broken.append(("id", "type"))
    if day is not None:
        with contextlib.suppress(ValueError):
            values[1] = date.fromisoformat(day) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", day) else None
        if values[1] is None:
            broken.append(("day", "type"))
    if amount is not None:
        exact = re.fullmatch(r"[+-]?([0-9]+(\.[0-9]{0,2}0*)?|\.[0-9]{1,2}0*)", amount)
        if exact and abs(Decimal(amount)) < 1_000_000:
            values[2] = Decimal(amount)
            if values[2] < 0:
                broken.append(("amount", "minimum"))
        else:
            broken.append(("amount", "type"))
    if note == "abc":
        broken.append(("note", "enum"))
    return tuple(values), broken


def written(rows: list[list[str]], delimiter: str, line_end: str, *, always: bool) -> str:
    def cell(text: str) -> str:
        needed = any(mark in text for mark in (delimiter, '"', "\n", "\r")) or text != text.strip()
        return '"' + text.replace('"', '""') + '"' if always or needed else text

    return "".join(delimiter.join(map(cell, row)) + line_end for row in rows)


@SETTINGS
@given(
    rows=ROWS,
    mode=st.sampled_from(["append", "merge", "replace"]),
    delimiter=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    always=st.booleans(),
    large=st.booleans(),
)
def test_each_row_is_accepted_or_rejected_or_superseded_as_plain_python_says(
    rows: list[list[str]], mode: str, delimiter: str, line_end: str, *, always: bool, large: bool
) -> None:
    text = written([["id", "day", "amount", "note"], *rows], delimiter, line_end, always=always)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform_module, "_LARGE", 1 if large else 1 << 30)
        case = run(Path(folder), text, things(mode, delimiter=delimiter))
        accepted, rejects = case.rows("_sluice_row, id, day, amount, note"), case.rejects()
    good: dict[int, tuple[Any, ...]] = {}
    bad: list[tuple[int, str | None, str]] = []
    last: dict[int, int] = {}
    superseded = 0
    for number, cells in enumerate(rows, 1):
        values, broken = judged(cells)
        if broken:
            bad += [(number, name, rule) for name, rule in broken]
        elif values[0] not in last:
            good[number] = values
            last[values[0]] = number
        elif mode == "merge":
            del good[last[values[0]]]
            good[number] = values
            last[values[0]] = number
            superseded += 1
        else:
            bad.append((number, "id", "primaryKey"))
    assert accepted == [(number, *values) for number, values in good.items()]
    assert rejects == bad
    load = case.load
    assert (load.rows_read, load.rows_superseded) == (len(rows), superseded)
    assert load.rows_read == load.rows_accepted + load.rows_rejected + load.rows_superseded
    assert sum(count.rows for count in load.rejects) == load.rows_rejected


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "1",
            "a",
            ",",
            ",",
            ",",
            '"',
            '""',
            '"x"',
            '"a,b"',
            '"a\nb"',
            " ",
            "\n",
            "\n",
            "\r\n",
            "\r",
            "\0",
            "é",
            "\\",
            ";",
        ]
    ),
    max_size=40,
).map("".join)


@settings(SETTINGS, max_examples=150)
@given(body=FRAGMENTS, escape=st.sampled_from(['"', "\\"]))
def test_readers_that_account_for_every_line_see_the_same_records(body: str, escape: str) -> None:
    columns = (column("a", "string"), column("b", "string"), column("c", "string"))
    three = plan(columns=columns, rules=(), primary_key=(), reading=Reading(header=False, escape=escape))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "x").write_bytes(body.encode())
        readings = []
        with session(limits=LIMITS, scratch=folder, directories=[folder]) as connection:
            for attempt in attempts(source(folder / "x"), three, scratch=folder / "s", limits=LIMITS):
                cells = ", ".join(attempt.records.cells.values())
                query = f"""
                SELECT _sluice_row, _sluice_fault, CASE WHEN _sluice_fault IS NULL THEN [{cells}] END
                FROM ({attempt.records.sql})"""
                try:
                    found = connection.execute(query, dict(attempt.records.parameters)).fetchall()
                except duckdb.InvalidInputException:
                    assert not attempt.last
                    continue
                if attempt.accounts_for(connection, len(found)):
                    readings.append(found)
    assert all(reading == readings[-1] for reading in readings)
    assert [row for row, *_ in readings[-1]] == list(range(1, len(readings[-1]) + 1))


@SETTINGS
@given(body=st.one_of(FRAGMENTS, st.binary(max_size=60)), mode=st.sampled_from(["append", "merge"]))
def test_whatever_the_bytes_every_record_is_accounted_for(body: str | bytes, mode: str) -> None:
    data = b"id,day,amount,note\n" + (body.encode() if isinstance(body, str) else body)
    with tempfile.TemporaryDirectory() as folder:
        case = run(Path(folder), data, things(mode), limits=Limits(memory_bytes=256 << 20, threads=1, max_rows=1000))
        accepted, rejects = case.rows("_sluice_row"), case.rejects("row_number, ordinal, rule")
    load = case.load
    if load.refused:
        assert (load.rows_read, accepted) == (0, [])
        assert rejects == [(None, 1, load.refused.partition(":")[0])]
    else:
        numbers = [row for (row,) in accepted] + [row for row, ordinal, _ in rejects if ordinal == 1]
        assert len(numbers) == len(set(numbers)) == load.rows_accepted + load.rows_rejected
        assert load.rows_read == len(numbers) + load.rows_superseded
        assert set(numbers) <= set(range(1, load.rows_read + 1))
