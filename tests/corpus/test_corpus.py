"""Every file of the corpus becomes what its case says: rows cell for cell, rejects by rule and row, or a refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus import delimited_cases, packed_cases
from tests.corpus.case import Odd, check

CASES = [*delimited_cases.CASES, *packed_cases.CASES]


@pytest.mark.parametrize("odd", CASES, ids=lambda odd: odd.name)
def test_odd_file_becomes_what_its_case_says(odd: Odd, tmp_path: Path) -> None:
    check(odd, tmp_path)


def test_corpus_is_large_and_no_case_stands_in_for_another() -> None:
    assert len({odd.name for odd in CASES}) == len(CASES) >= 120
    assert len({(odd.content, str(odd.options), str(odd.columns), odd.suffix) for odd in CASES}) > len(CASES) - 5
