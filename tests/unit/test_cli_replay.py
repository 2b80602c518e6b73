"""`sluice replay`: which loads are meant, told from the ledger's records alone."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.ledger.model import Load
from sluice.stages.replay import LoadFilter, select

LOADS = [
    Load(load_id="1", dataset="items", key="items/a", version_id="1", registered="2024-02-01T10:00:00.000+00:00",
         state="DONE", run_id="items-1"),
    Load(load_id="2", dataset="items", key="items/b", version_id="1", registered="2024-02-02T10:00:00.000+00:00",
         state="PARKED", run_id="items-2"),
    Load(load_id="3", dataset="items", key="items/a", version_id="2", registered="2024-02-03T10:00:00.000+00:00",
         state="DONE", run_id="items-2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (LoadFilter(), "123"),
        (LoadFilter(keys=["items/a"]), "13"),
        (LoadFilter(run_id="items-2"), "23"),
        (LoadFilter(run_id="items-2", state="DONE"), "3"),
        (LoadFilter(since="2024-02-02"), "23"),
        (LoadFilter(since="2024-02-01", until="2024-02-03"), "12"),
    ],
)
def test_all_given_conditions_must_hold(selection: LoadFilter, expected: str) -> None:
    assert "".join(load.load_id for load in select(reversed(LOADS), selection)) == expected


@pytest.mark.parametrize(
    "words", [(), ("--all", "--object", "items/a"), ("--since", "yesterday"), ("--until", "2024-2-1")]
)
def test_a_replay_that_does_not_say_what_is_refused(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["replay", "items", *words, "--json"])
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (2, False)
