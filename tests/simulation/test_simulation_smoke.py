"""Twenty seeds of the simulation in every test run; `make prove` runs a thousand, the sweeps and the controls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.simulation import model
from tests.simulation.runner import Report, run

INVENTORY = Path(__file__).with_name("inventory.json")


@pytest.fixture(scope="module")
def report() -> Report:
    return run(range(20), processes=1)


def test_nothing_is_lost_doubled_or_torn_in_twenty_stories(report: Report) -> None:
    assert report.wrong == {}
    assert report.counted >= 10, "most stories must end with rows, or they show nothing"
    assert report.faults > 20


def test_every_call_that_a_stage_makes_is_covered_by_the_sweep(report: Report) -> None:
    covered = set(json.loads(INVENTORY.read_text()))
    assert set(report.inventory) <= covered, "a stage makes a call that no sweep strikes: add a story to sweep.py"


def test_the_reference_model_says_what_the_documents_say() -> None:
    first = model.Version("k", "1", (0, "k", 0), b"id,day,amount\n1,2024-01-10,1\nx,,\n2,,\n1,,9\n")
    marker = model.Version("k", "2", (1, "k", 0), None)
    other = model.Version("l", "3", (2, "l", 0), b"id,day,amount\n1,,5\n")

    def ids(mode: str, on_delete: str = "keep") -> tuple[list[tuple[str, int]], list[str]]:
        rows, rejects = model.tables(
            [first, marker, other], mode=mode, on_delete=on_delete, contract_of=lambda _: "1.0.0"
        )
        return sorted((row[1], row[3][0]) for row in rows), sorted(reject[4] for reject in rejects)

    assert ids("append") == ([("1", 1), ("1", 2), ("3", 1)], ["primaryKey", "type"])
    assert ids("append", "retract") == ([("3", 1)], [])
    assert ids("replace") == ([("3", 1)], [])
    assert ids("merge") == ([("1", 1), ("1", 2)], ["type"])  # amount 9 of the first delivery is the largest
