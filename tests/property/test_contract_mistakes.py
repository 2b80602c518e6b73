"""Whatever is wrong with a contract, its author gets a place and a remedy, and never a traceback."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sluice.contract.compile import compile_plan
from sluice.contract.odcs import parse
from sluice.errors import ContractError
from tests.unit.test_contract_standard import READ

pytestmark = pytest.mark.proof

MISTAKES = 1500
JUNK: list[Any] = [
    *(None, [], {}, "", " ", "x", 0, -1, 10**30, 1.5, float("inf"), float("nan"), True, [None], {"a": None}, {1: 2}),
    *("2020-02-30", "\u0085", "a" * 5000, "'; DROP TABLE x; --", "${object}", "(", "SELECT", [1, "a"], "[", "1e400"),
]
FIELDS = [
    *("logicalType", "logicalTypeOptions", "quality", "items", "properties", "enum", "transformLogic", "partitioned"),
    *("primaryKeyPosition", "unique", "classification", "relationships", "map", "physicalName", "customProperties"),
]


def test_each_mistake_is_answered_with_its_place_and_a_remedy() -> None:
    refused = 0
    for seed in range(MISTAKES):
        document = mistaken(random.Random(seed))
        found = answer(yaml.safe_dump(document, allow_unicode=True))
        refused += found is not None
        assert found is None or (isinstance(found, ContractError) and found.place and found.remedy), (seed, found)
    assert refused > MISTAKES / 2  # or the mistakes are none


def answer(text: str) -> Exception | None:
    try:
        compile_plan(parse(text, file="sales.odcs.yaml")).to_json()
    except Exception as error:  # noqa: BLE001  # which of them it is, is the question
        return error
    return None


def mistaken(chance: random.Random) -> dict[str, Any]:
    """A contract that was one, with up to three fields gone, of another kind, or from another place."""
    document = copy.deepcopy(chance.choice(list(READ.values())))
    for _ in range(chance.choice([1, 1, 2, 3])):
        places = list(paths(document))
        path = chance.choice(places)
        parent, other = at(document, path[:-1]), copy.deepcopy(at(document, chance.choice(places)))
        match chance.choice(["drop", "junk", "junk", "swap", "add"]):
            case "drop":
                del parent[path[-1]]
            case "junk":
                parent[path[-1]] = copy.deepcopy(chance.choice(JUNK))
            case "swap":
                parent[path[-1]] = other
            case _ if isinstance(parent, dict):
                parent[chance.choice(FIELDS)] = chance.choice([other, copy.deepcopy(chance.choice(JUNK))])
            case _:
                parent.append(copy.deepcopy(chance.choice(JUNK)))
    return document


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield (*before, key)
        yield from paths(inside, (*before, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
