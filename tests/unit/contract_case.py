"""A contract as a short mapping, compiled: what tests of contract and kernel together share."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from sluice.contract.compile import compile_plan
from sluice.contract.odcs import parse
from sluice.contract.plan import Plan
from sluice.errors import ContractError


def contract(properties: list[dict[str, Any]], *, quality: list[dict[str, Any]] | None = None, **options: Any) -> str:
    """Return the text of a contract of the dataset `things` with one schema object."""
    table: dict[str, Any] = {"name": "things", "properties": properties}
    if quality:
        table["quality"] = quality
    if options:
        table["customProperties"] = [{"property": "sluice", "value": options}]
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "things",
        "version": "1.0.0",
        "status": "active",
        "schema": [table],
    }
    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)  # a part used twice would be an alias


def compiled(properties: list[dict[str, Any]], **more: Any) -> Plan:
    """Return the plan of such a contract, after a journey through its JSON form."""
    made = compile_plan(parse(contract(properties, **more), file="things.odcs.yaml"))
    assert Plan.from_json(made.to_json()) == made
    return made


def refusal(properties: list[dict[str, Any]], **more: Any) -> ContractError:
    """Return the error that such a contract raises."""
    with pytest.raises(ContractError) as caught:
        compiled(properties, **more)
    assert caught.value.remedy
    assert "(line " in caught.value.place
    return caught.value
