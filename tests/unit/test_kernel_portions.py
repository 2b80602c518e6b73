import random
from pathlib import Path

import pytest

from sluice.kernel import transform as transform_module
from sluice.kernel.framing import portions as portions_module
from sluice.kernel.framing import text as text_module
from sluice.kernel.outcome import Limits
from sluice.kernel.readers import read as read_module
from tests.unit.kernel_case import LIMITS, plan, run

HEADER = "id,day,amount,note\n"
BOTH = Limits(memory_bytes=LIMITS.memory_bytes, threads=2)


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    """Portions of a few hundred bytes, for files of a few thousand."""
    monkeypatch.setattr(portions_module, "LEAST", 1)
    monkeypatch.setattr(text_module, "_MARKED", 1)
    monkeypatch.setattr(transform_module, "_LARGE", 1)
    monkeypatch.setattr("sluice.kernel.framing.unpack.BLOCK", 256)


@pytest.fixture
def proofs(monkeypatch):
    """What the proof said of each file that was read in portions."""
    said = []
    judge = read_module._EachLine.__call__

    def heard(self, connection, rows):
        said.append((len(self.portions), judge(self, connection, rows)))
        return said[-1][1]

    monkeypatch.setattr(read_module._EachLine, "__call__", heard)
    return said


def body(rows: int, note: str = "a note") -> str:
    chance = random.Random(7)
    cells = (f"{n},2024-02-{1 + n % 28:02},{chance.randrange(-5, 90)}.5,{note}" for n in range(1, rows + 1))
    return HEADER + "\n".join(cells) + "\n"


def test_portions_give_the_rows_and_numbers_that_one_reader_gives(tmp_path: Path, proofs):
    text = body(300, '"a, note"')
    alone, together = (tmp_path / name for name in ("alone", "together"))
    alone.mkdir()
    together.mkdir()
    one = run(alone, text, plan())
    several = run(together, text, plan(), limits=BOTH)
    columns = "id, day, amount, note, _sluice_row"
    assert several.rows(columns) == one.rows(columns)
    columns = 'row_number, ordinal, "column", rule, reason, value, raw'
    assert several.rejects(columns) == one.rejects(columns) != []
    assert several.load == one.load
    assert proofs == [(2, True)]


def test_a_line_feed_in_a_quote_leaves_numbering_to_one_reader(tmp_path: Path, proofs):
    text = body(300).replace("150,2024", "150,2024").replace(",a note\n151,", ',"a\nnote"\n151,')
    case = run(tmp_path, text, plan(), limits=BOTH)
    assert case.load.rows_read == 300
    assert [proof for _, proof in proofs] == [False]
    numbers = [number for (number,) in case.rows("_sluice_row")] + [number for (number,) in case.rejects("row_number")]
    assert sorted(numbers) == list(range(1, 301))


def test_an_empty_line_leaves_numbering_to_one_reader(tmp_path: Path, proofs):
    case = run(tmp_path, body(300).replace("\n151,", "\n\n151,"), plan(), limits=BOTH)
    assert case.load.rows_read == 300
    assert [proof for _, proof in proofs] == [False]
    assert {key - number for key, number in case.rows("id, _sluice_row")} == {0}


def test_keys_that_repeat_in_another_portion_are_found(tmp_path: Path, proofs):
    text = body(300).replace("\n20,2024", "\n10,2024").replace("\n290,2024", "\n30,2024")
    case = run(tmp_path, text, plan(rules=()), limits=BOTH)
    assert case.rejects() == [(20, "id", "primaryKey"), (290, "id", "primaryKey")]
    assert case.load.rows_accepted == 298
    assert proofs == [(2, True)]


def test_wide_lines_are_read_by_one_thread(tmp_path: Path, monkeypatch, proofs):
    text = body(300)
    monkeypatch.setattr(portions_module, "_WIDE", len(text) // 301 - 1)
    assert run(tmp_path, text, plan(), limits=BOTH).load.rows_read == 300
    assert proofs == []
