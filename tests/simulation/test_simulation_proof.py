"""The proof: a thousand stories, every single fault of a load's life, and pairs on the publish path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.simulation.runner import run
from tests.simulation.sweep import sweep

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]


def test_a_thousand_stories_lose_double_and_tear_nothing() -> None:
    report = run(range(1000))
    print(json.dumps(report.to_json()))
    assert report.wrong == {}
    assert report.counted >= 700


def test_no_single_fault_and_no_pair_on_the_publish_path_does_harm() -> None:
    found = sweep()
    print(found)
    assert found.wrong == []
    assert found.hit == set(json.loads(Path(__file__).with_name("inventory.json").read_text()))
