"""Figures as they go out: names, units and dimensions in CloudWatch's embedded format, and silence of what is rare."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice import metrics
from sluice.stages.telemetry import emit


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Sluice/dev")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "settle")
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_dataset_has_its_own_series_beside_that_of_the_stage(said: Any) -> None:
    emit({metrics.ROWS_READ: 3, metrics.REJECT_SHARE: 0.25}, dataset="items", run_id="items-1")
    (line,) = said()
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Sluice/dev"
    assert directive["Dimensions"] == [["stage"], ["dataset", "stage"]]
    assert directive["Metrics"] == [{"Name": "RowsRead", "Unit": "Count"}, {"Name": "RejectShare", "Unit": "None"}]
    assert (line["stage"], line["dataset"], line["run_id"]) == ("settle", "items", "items-1")
    assert (line["RowsRead"], line["RejectShare"]) == ([3.0], [0.25])


def test_what_is_rare_is_silent_at_zero_and_the_rest_is_not(said: Any) -> None:
    emit({metrics.LOADS_MISSING: 0, metrics.LOADS_PARKED: 0}, dataset="items")
    assert said() == []
    emit({metrics.LOADS_MISSING: 2, metrics.LOADS_PARKED: 0}, dataset="items")
    (line,) = said()
    assert "LoadsParked" not in line
    emit({metrics.LOADS_REGISTERED: 0})
    (line,) = said()
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stage"]]


def test_figures_of_two_stages_cannot_go_out_as_one(said: Any) -> None:
    with pytest.raises(ValueError, match="too many values"):
        emit({metrics.ROWS_READ: 1, metrics.LOADS_REGISTERED: 1})
    assert said() == []
