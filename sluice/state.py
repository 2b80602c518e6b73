"""Format numbers of the states that outlive a deployment, and the refusal of a state that a newer release wrote.

Release 0.1.0 wrote no numbers: a state without one has format 1. Code reads every format up to its own. It refuses a
newer one rather than guess at it: after a rollback, or while a deployment has updated one function and not the next.

A release that changes the shape of a state, or the meaning of a field, raises the state's number
(`tests/upgrade/test_shapes.py` compares the shapes with those of the last release).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sluice.errors import NewerStateError

State = Literal["plan", "run", "ledger", "table"]
FORMATS: Mapping[State, int] = {
    "plan": 2,  # compiled contracts: beside the functions, and inside claims
    "run": 2,  # documents in runs/
    "ledger": 2,  # loads, runs and leases
    "table": 1,  # properties of tables
}
KEY = "state_format"  # the member or attribute that holds the number; a word that DynamoDB does not reserve


def stamped(state: State, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state's data with its format number."""
    return {**data, KEY: FORMATS[state]}


def opened(state: State, data: Mapping[str, Any], *, what: str) -> dict[str, Any]:
    """Return a state's data without its number. Raises NewerStateError; `what` names the state in the message."""
    checked(state, data.get(KEY, 1), what=what)
    return {name: value for name, value in data.items() if name != KEY}


def checked(state: State, number: Any, *, what: str) -> None:
    """Raise NewerStateError if `number` is above the format that this code knows."""
    if int(number) > FORMATS[state]:
        raise NewerStateError(what, found=int(number), known=FORMATS[state])
