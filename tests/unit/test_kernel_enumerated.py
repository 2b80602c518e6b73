"""Texts of an enumeration: rejected ones are told as they stood, whatever became of the column on its way."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from sluice.contract.plan import Reading, Rule
from sluice.kernel import transform as transform_module
from tests.unit.kernel_case import plan, run

TEXT = """id,day,amount,note
1,,1,red
2,,1,it's
3,,1,
4,,1,green
5,,-1,NA
6,,x,blue
"""
RULES = (
    *plan().rules,
    Rule(name="enum", column="note", predicate="\"note\" IN ('red', 'it''s', 'red')", expected="one of red, it's"),
    Rule(name="maxLength", column="note", predicate='length("note") <= 4', expected="at most 4 characters"),
)


@pytest.mark.parametrize("large", [1, 1 << 30])
def test_text_that_is_not_listed_is_told_with_all_that_it_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(transform_module, "_LARGE", large)
    case = run(tmp_path, TEXT, plan(rules=RULES, reading=Reading(null_texts=("", "NA"))))
    assert case.rows("id, note") == [(1, "red"), (2, "it's"), (3, None)]
    assert case.rejects('row_number, "column", rule, reason, "value"') == [
        (4, "note", "enum", "expected one of red, it's, got 'green'", "green"),
        (4, "note", "maxLength", "expected at most 4 characters, got 'green'", "green"),
        (5, "amount", "minimum", "expected at least 0, got '-1'", "-1"),
        (6, "amount", "type", "expected decimal(8,2), got 'x'", "x"),
        (6, "note", "enum", "expected one of red, it's, got 'blue'", "blue"),
    ]
    data = [str(file.path) for file in case.outcome.files if file.kind == "data"]
    kinds = {name: kind for name, kind, *_ in duckdb.execute("DESCRIBE FROM read_parquet($1)", [data]).fetchall()}
    assert kinds["note"] == "VARCHAR"
