"""A state whose shape changed since the last release has a higher number, so that the older release refuses it."""

from __future__ import annotations

import json
from pathlib import Path

from sluice.state import FORMATS
from tests.upgrade.shapes import shapes

LAST = json.loads(max(Path(__file__).parent.glob("release-*.json")).read_text(encoding="utf-8"))


def test_a_state_of_another_shape_has_another_number_than_in_the_last_release() -> None:
    changed = {state for state, shape in shapes().items() if shape != LAST["shapes"][state]}
    same = {state for state in changed if FORMATS[state] <= LAST["formats"][state]}
    assert not same, f"raise the format numbers of {sorted(same)} in sluice/state.py: their members have changed"


def test_no_number_is_more_than_one_above_that_of_the_last_release() -> None:
    assert all(number - LAST["formats"][state] in {0, 1} for state, number in FORMATS.items())
