"""A few faults in a generated file leave each column the type, format and spelling that the clean file gives it."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sluice.contract.infer import Inferred, infer_columns
from sluice.contract.plan import Reading
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.profile.columns import profile
from sluice.kernel.profile.samples import all_text, data_files, read_as_text
from sluice.kernel.readers.dialect import vote

DAY = dt.date(2021, 1, 1)
# What a column holds in row `at`, by the name of its kind.
KINDS = {
    "whole": lambda at: str(at * 37 % 9000 + 1),
    "price": lambda at: f"{at * 13 % 900 + 1}.{at % 100:02d}",
    "preis": lambda at: f"{at * 13 % 900 + 1},{at % 100:02d}",
    "betrag": lambda at: f"{at % 9 + 1}.{at * 13 % 900 + 100},{at % 100:02d}",
    "iso": lambda at: (DAY + dt.timedelta(days=at)).isoformat(),
    "german": lambda at: f"{DAY + dt.timedelta(days=at):%d.%m.%Y}",
    "american": lambda at: f"{DAY + dt.timedelta(days=at):%m/%d/%Y}",
    "moment": lambda at: f"{DAY + dt.timedelta(days=at):%Y-%m-%d}T{at % 24:02d}:00:00Z",
    "flag": lambda at: "true" if at % 3 else "false",
    "yes": lambda at: "Y" if at % 3 else "N",
    "code": lambda at: ["new", "paid", "shipped"][at % 3],
    "mail": lambda at: f"a{at}@example.com",
    "text": lambda at: f"word {at % 17} of them",
}
FAULTS = ["two", "??", "31.02.2021", "1e", "12 34", "#", "x,y", "2021-13-45", "maybe"]


def drafted(rows: list[list[str]], delimiter: str) -> list[Inferred]:
    """Read the rows as `sluice init` does; the columns that it infers."""
    with tempfile.TemporaryDirectory() as folder:
        path, limits = Path(folder) / "f.csv", Limits()
        names = [f"c{at}" for at in range(len(rows[0]))]
        text = "\n".join(delimiter.join(row) for row in [names, *rows]) + "\n"
        path.write_text(text)
        found = vote(text, text[-20_000:], Reading())
        assert (found.reading.delimiter, found.names) == (delimiter, names)
        source = SourceFile(path=path, load_id="a" * 32, key="t/f.csv", version_id="v", order="0")
        outcome = read_as_text([source], all_text("t", names, found.reading), folder=Path(folder), limits=limits)
        columns, _ = infer_columns(profile(data_files(outcome), names, folder=Path(folder), limits=limits))
        return list(columns)


def judged(columns: list[Inferred]) -> list[object]:
    return [(column.kind, column.form, column.spelling, column.values) for column in columns]


def holds(kinds: list[str], rows: int, faults: list[tuple[int, int, str]], short: list[int], delimiter: str) -> None:
    clean = [[KINDS[kind](at) for kind in kinds] for at in range(rows)]
    spoilt = [list(row) for row in clean]
    for row, column, fault in faults:
        spoilt[row % rows][column % len(kinds)] = fault.replace(delimiter, "")
    for row in short:
        del spoilt[row % rows][-1]
    assert judged(drafted(spoilt, delimiter)) == judged(drafted(clean, delimiter))


CASES = {
    "kinds": st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=5),
    "rows": st.integers(600, 1500),
    "faults": st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 9), st.sampled_from(FAULTS)), max_size=3),
    "short": st.lists(st.integers(0, 9999), max_size=3, unique_by=lambda row: row % 601),
    "delimiter": st.sampled_from([";", "\t", "|"]),
}
NO_SHRINKING = [phase for phase in Phase if phase is not Phase.shrink]


@settings(max_examples=2, deadline=None, phases=NO_SHRINKING)
@given(**CASES)
def test_planted_faults_leave_the_types_of_the_clean_file(
    kinds: list[str], rows: int, faults: list[tuple[int, int, str]], short: list[int], delimiter: str
) -> None:
    holds(kinds, rows, faults, short, delimiter)


@pytest.mark.proof
@settings(max_examples=25, deadline=None, phases=NO_SHRINKING)
@given(**CASES)
def test_many_planted_faults_leave_the_types_of_the_clean_files(
    kinds: list[str], rows: int, faults: list[tuple[int, int, str]], short: list[int], delimiter: str
) -> None:
    holds(kinds, rows, faults, short, delimiter)
