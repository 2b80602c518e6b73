"""Large objects that repeat keys: looked at ahead or not, they become what small ones become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.contract.plan import Plan, Unique
from sluice.kernel import transform as transform_module
from sluice.kernel.judging import suspects as suspects_module
from tests.unit.kernel_case import FIELD_IDS, Case, by_month, column, plan, run

# Keys 1 and 4 repeat; one record of each is unsound by itself, and stands where it would win.
TEXT = '''id,day,amount,note
1,2024-01-01,-1,unsound
1,2024-02-01,2,"first, ""sound"""
2,2024-02-01,3,alone
01,2024-01-01,4,second
4,2024-03-01,5,once
,2024-03-01,6,no key
,2024-03-01,7,no key either
1,2024-02-05,8,third
4,2024-03-02,-9,unsound
'''


@pytest.fixture(params=["ahead", "afterwards"])
def judged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make every object a large one; when its keys are judged."""
    monkeypatch.setattr(transform_module, "_LARGE", 1)
    if request.param == "afterwards":
        monkeypatch.setattr(suspects_module, "_FIRST", 1)
    return str(request.param)


def folders(case: Case) -> set[str]:
    return {part for file in case.outcome.files for part in file.path.parts} & {"cleared", "unrepeated"}


def test_unsound_records_take_no_key_from_sound_ones(tmp_path: Path, judged: str) -> None:
    case = run(tmp_path, TEXT, plan(partition=by_month()), field_ids=FIELD_IDS)
    assert case.rows("_sluice_row, id, note, _sluice_contract") == [
        (2, 1, 'first, "sound"', "1.2.0"),
        (3, 2, "alone", "1.2.0"),
        (5, 4, "once", "1.2.0"),
    ]
    assert case.rejects('row_number, rule, "value", raw, contract') == [
        (1, "minimum", "-1", "1,2024-01-01,-1,unsound", "1.2.0"),
        (4, "primaryKey", "1", "01,2024-01-01,4,second", "1.2.0"),
        (6, "required", "", ",2024-03-01,6,no key", "1.2.0"),
        (7, "required", "", ",2024-03-01,7,no key either", "1.2.0"),
        (8, "primaryKey", "1", "1,2024-02-05,8,third", "1.2.0"),
        (9, "minimum", "-9", "4,2024-03-02,-9,unsound", "1.2.0"),
    ]
    assert (case.load.rows_read, case.load.rows_accepted, case.load.rows_rejected) == (9, 3, 6)
    assert folders(case) == {"unrepeated" if judged == "afterwards" else "cleared"}


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize(
    "changes",
    [
        {"mode": "merge"},
        {"mode": "merge", "sequence_by": "day"},
        {"mode": "append", "primary_key": ("id", "day")},
        {"mode": "append", "unique": (Unique(name="unique", columns=("day",)),)},
        {"mode": "append", "primary_key": ()},
        {"mode": "append", "columns": (replace(column("id", "string"), protect="mask"), *plan().columns[1:])},
    ],
)
def test_large_objects_give_what_small_ones_give(tmp_path: Path, changes: dict[str, Any]) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "small").mkdir()
    given: Plan = plan(partition=by_month(), **changes)
    one = run(tmp_path / "large", TEXT, given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transform_module, "_LARGE", 1 << 30)
        other = run(tmp_path / "small", TEXT, given)
    assert one.outcome.loads == other.outcome.loads
    assert one.rows("*") == other.rows("*")
    assert one.rejects("*") == other.rejects("*")


@pytest.mark.usefixtures("judged")
def test_object_without_repeated_keys_has_no_suspects(tmp_path: Path) -> None:
    case = run(tmp_path, "id,day,amount,note\n1,,,a\n2,,,b\n,,,c\n,,,d\n", plan())
    assert case.rows("note") == [("a",), ("b",)]
    assert folders(case) == set()


@pytest.mark.usefixtures("judged")
def test_a_file_that_the_fast_reader_gives_up_while_keys_are_read_goes_to_the_careful_one(tmp_path: Path) -> None:
    text = TEXT + '6,2024-04-01,1,"closed" too early\n7,2024-04-01,1,last\n'
    case = run(tmp_path, text, plan())
    assert [row for (row,) in case.rows("_sluice_row")] == [2, 3, 5, 11]
    assert (10, "row.quotes") in case.rejects("row_number, rule")
