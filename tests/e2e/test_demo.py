"""`sluice demo --json`, once, as a person runs it: what it claims to have done, judged by what is known of the data."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROWS = {
    "airlines": 16,
    "airports": 1_458,
    "flights": 336_776,
    "flights_year": 336_776,
    "planes": 3_322,
    "weather": 26_115,
}

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def said() -> subprocess.CompletedProcess[str]:
    """One run of the demo."""
    sluice = str(Path(sys.executable).with_name("sluice"))
    return subprocess.run([sluice, "demo", "--json"], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def story(said: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert said.returncode == 0, said.stdout + said.stderr
    document: dict[str, Any] = json.loads(said.stdout)
    return document


def test_stdout_holds_one_object_that_says_ok(said: subprocess.CompletedProcess[str], story: dict[str, Any]) -> None:
    assert len(said.stdout.splitlines()) == 1
    assert story["ok"] is True
    assert [check["claim"] for check in story["checks"] if not check["holds"]] == []


def test_every_curated_table_holds_exactly_the_rows_of_its_source(story: dict[str, Any]) -> None:
    assert {name: dataset["curated_rows"] for name, dataset in story["datasets"].items()} == ROWS


def test_every_row_that_was_read_has_an_account(story: dict[str, Any]) -> None:
    for name, dataset in story["datasets"].items():
        accounted = dataset["rows_accepted"] + dataset["rows_rejected"] + dataset["rows_superseded"]
        assert dataset["rows_read"] == accounted, name
        assert dataset["rows_rejected"] == sum(group["rows"] for group in dataset["rejects"]), name


def test_the_planted_rows_are_rejected_under_six_rules(story: dict[str, Any]) -> None:
    groups = story["datasets"]["flights"]["rejects"]
    assert Counter({(group["column"], group["rule"]): group["rows"] for group in groups}) == {
        ("dep_delay", "type"): 7,
        ("time_hour", "type"): 7,
        ("carrier", "required"): 7,
        ("distance", "minimum"): 7,
        (None, "row.fields"): 7,
        ("carrier, flight, time_hour", "primaryKey"): 7,
    }


def test_the_duplicated_event_and_the_correction_make_fourteen_loads_of_flights(story: dict[str, Any]) -> None:
    assert story["datasets"]["flights"]["loads"] == {"DONE": 13, "REFUSED": 1}
    assert story["datasets"]["flights"]["rows_replaced"] == 24_951


def test_both_engines_ran_and_every_run_published(story: dict[str, Any]) -> None:
    engines = {
        name: {engine for run in d["runs"] for engine in run["engines"]} for name, d in story["datasets"].items()
    }
    assert engines.pop("flights_year") == {"glue"}
    assert set().union(*engines.values()) == {"lambda"}
    assert {run["state"] for d in story["datasets"].values() for run in d["runs"]} == {"PUBLISHED"}


def test_each_run_recorded_what_it_consumed_on_either_engine(story: dict[str, Any]) -> None:
    runs = [run for account in story["datasets"].values() for run in account["runs"]]
    for run in runs:
        assert (run["usage"]["dpu_seconds"] >= 60) == ("glue" in run["engines"]), run
        assert run["usage"]["gb_seconds"] > 0
    assert any("glue" in run["engines"] for run in runs)


def test_calls_and_dollars_are_counted(story: dict[str, Any]) -> None:
    assert story["calls"]["all"] >= sum(story["calls"]["by_service"].values()) > 0
    parts = [value for name, value in story["dollars"].items() if name != "all"]
    assert story["dollars"]["all"] == pytest.approx(sum(parts), abs=1e-5)
    assert 0 < story["dollars"]["all"] < 1
