"""Which columns of a large file get a dictionary: as the first records have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from sluice.kernel import transform as transform_module
from sluice.kernel.writing import dictionaries
from tests.unit.kernel_case import plan, run

ROWS = 600


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of some hundred records, and limits that fit it."""
    monkeypatch.setattr(transform_module, "_LARGE", 1)
    for name, value in {"_SAMPLE": 400, "_FEW": 40, "_RARE": 20, "_OFTEN": 300}.items():
        monkeypatch.setattr(dictionaries, name, value)


def dictionaries_of(folder: Path, note: Callable[[int], str]) -> dict[str, bool]:
    """Whether `amount`, of a hundred values, and `note` have a dictionary in the file."""
    rows = "".join(f"{n},2024-02-{1 + n % 28:02},{n % 100},{note(n)}\n" for n in range(ROWS))
    case = run(folder, "id,day,amount,note\n" + rows, plan())
    (data,) = [str(file.path) for file in case.outcome.files if file.kind == "data"]
    query = "SELECT path_in_schema, encodings FROM parquet_metadata($1) WHERE path_in_schema IN ('amount', 'note')"
    return {name: "DICTIONARY" in encodings for name, encodings in duckdb.execute(query, [data]).fetchall()}


@pytest.mark.parametrize("note", [lambda n: f"note {n % 5}", lambda n: f"note {n}"], ids=["few texts", "only new ones"])
def test_no_time_is_lost_on_dictionaries_where_texts_are_few_or_all_new(
    tmp_path: Path, note: Callable[[int], str]
) -> None:
    assert dictionaries_of(tmp_path, note) == {"amount": False, "note": note(0) == note(5)}


def test_texts_that_come_again_at_times_keep_their_dictionary(tmp_path: Path) -> None:
    assert dictionaries_of(tmp_path, lambda n: f"note {n % 100}")["note"]
