"""Generated contracts and files, judged a second time in plain Python: no DuckDB, none of the contract's casts or SQL.

The oracle knows the contract as the standard words it and the file as a list of cells. It says of each record whether
it is accepted, rejected and by which rules, or superseded; what is stored; and which checks the object breaks.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tempfile
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.kernel.judging.verdict import broken_checks
from tests.unit.contract_case import compiled
from tests.unit.kernel_case import run

SALT = "a salt for this test"
WORDS = ["a", "b", "cc", "ddd", "A", ""]
TEXTS: dict[str, Any] = {
    "integer": st.one_of(st.integers(-4, 4).map(str), st.sampled_from(["+2", "007", "1.0", "x", "", " 1"])),
    "number": st.one_of(st.decimals(-3, 3, places=2).map(str), st.sampled_from([".5", "1.5", "1.555", "1e1", "y", ""])),
    "date": st.sampled_from(["2024-01-01", "2024-02-29", "2023-02-29", "2024-1-1", "soon", ""]),
    "string": st.sampled_from(WORDS),
    "array": st.sampled_from(
        ["[]", '["a"]', '["a","b"]', '["a","a"]', '["a",null]', '{"a":1}', "[1,2]", "[", "null", ""]
    ),
}
PROTECTIONS = {"string": ["none", "none", "none", "hash", "mask", "omit"], "integer": ["none", "none", "omit"]}
COMPARISONS = [
    ({"mustBe": 1}, lambda n: n == 1),
    ({"mustNotBe": 1}, lambda n: n != 1),
    ({"mustBeGreaterThan": 1}, lambda n: n > 1),
    ({"mustBeGreaterOrEqualTo": 1}, lambda n: n >= 1),
    ({"mustBeLessThan": 2}, lambda n: n < 2),
    ({"mustBeLessOrEqualTo": 1}, lambda n: n <= 1),
    ({"mustBeBetween": [1, 2]}, lambda n: 1 <= n <= 2),
    ({"mustNotBeBetween": [1, 2]}, lambda n: not 1 <= n <= 2),
]


@dataclass
class Verdict:
    """What becomes of a file."""

    accepted: dict[int, dict[str, Any]] = field(default_factory=dict)
    rejected: dict[int, set[tuple[str | None, str]]] = field(default_factory=dict)
    superseded: int = 0


@st.composite
def properties(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to four columns beside the key."""
    kinds = draw(st.lists(st.sampled_from(sorted(TEXTS)), min_size=1, max_size=4))
    return [
        {"name": "id", "logicalType": "integer", "primaryKey": True},
        *(draw(column(f"c{at}", kind)) for at, kind in enumerate(kinds)),
    ]


@st.composite
def column(draw: st.DrawFn, name: str, kind: str) -> dict[str, Any]:
    item: dict[str, Any] = {"name": name, "logicalType": kind, "required": draw(st.booleans())}
    options: dict[str, Any] = {}
    if kind in {"integer", "number"} and draw(st.booleans()):
        options[draw(st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]))] = draw(
            st.integers(-2, 2)
        )
    if kind == "integer" and draw(st.booleans()):
        options["multipleOf"] = 2
    if kind == "number":
        item["physicalType"] = "decimal(4,2)"
    if kind == "string" and draw(st.booleans()):
        options[draw(st.sampled_from(["minLength", "maxLength"]))] = draw(st.integers(1, 3))
    if kind == "string" and draw(st.booleans()):
        options["pattern"] = "^[a-c]"
    if kind == "string" and draw(st.booleans()):
        item["enum"] = [{"value": word} for word in ("a", "b", "cc")]
    if kind == "array":
        item["items"] = {"logicalType": "string", "required": draw(st.booleans())}
        options |= draw(st.sampled_from([{}, {"minItems": 1}, {"maxItems": 1}, {"uniqueItems": True}]))
    protect = draw(st.sampled_from(PROTECTIONS.get(kind, ["none"])))
    item["customProperties"] = [{"property": "sluice", "value": {"protect": protect}}]
    if kind != "array" and protect in {"none", "hash"}:
        item["unique"] = draw(st.booleans())
    if options:
        item["logicalTypeOptions"] = options
    return item


# ---- the oracle


def value_of(item: dict[str, Any], cell: str) -> Any:
    """The value of a cell. Raises ValueError for a text that is none."""
    match item["logicalType"]:
        case "string":
            return cell
        case "integer":
            if not re.fullmatch("[+-]?[0-9]+", cell):
                raise ValueError(cell)
            return int(cell)
        case "number":
            if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]{0,2}0*)?|\.[0-9]{1,2}0*)", cell):
                raise ValueError(cell)
            return Decimal(cell)
        case "date":
            if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", cell):
                raise ValueError(cell)
            return date.fromisoformat(cell)
        case _:
            found = json.loads(cell)
            if not isinstance(found, list):
                raise ValueError(cell)  # noqa: TRY004  (the text is at fault)
            return [entry if entry is None else str(entry) for entry in found]


def broken_rules(item: dict[str, Any], value: Any) -> set[str]:
    """Names of the rules that a value breaks."""
    options = item.get("logicalTypeOptions", {})
    if value is None:
        return {"required"} if item.get("required") or item.get("primaryKey") else set()
    tests = {
        "minimum": lambda limit: value >= limit,
        "maximum": lambda limit: value <= limit,
        "exclusiveMinimum": lambda limit: value > limit,
        "exclusiveMaximum": lambda limit: value < limit,
        "multipleOf": lambda limit: value % limit == 0,
        "minLength": lambda limit: len(value) >= limit,
        "maxLength": lambda limit: len(value) <= limit,
        "pattern": lambda pattern: re.search(pattern, value) is not None,
        "minItems": lambda limit: len(value) >= limit,
        "maxItems": lambda limit: len(value) <= limit,
        "uniqueItems": lambda _: len(set(value) - {None}) == len([entry for entry in value if entry is not None]),
    }
    broken = {name for name, limit in options.items() if not tests[name](limit)}
    if "enum" in item and value not in [entry["value"] for entry in item["enum"]]:
        broken.add("enum")
    if item.get("items", {}).get("required") and None in value:
        broken.add("required")
    return broken


def judged(items: list[dict[str, Any]], rows: list[list[str]], mode: str) -> Verdict:
    """Each row by itself, then what may stand once, then keys."""
    verdict = Verdict()
    sound: dict[int, dict[str, Any]] = {}
    for number, cells in enumerate(rows, 1):
        values, broken = read(items, cells)
        if broken:
            verdict.rejected[number] = broken
        else:
            sound[number] = values
    for item in items:
        if item.get("unique"):
            for number in repeating(item["name"], sound, mode):
                verdict.rejected.setdefault(number, set()).add((item["name"], "unique"))
    last: dict[int, int] = {}
    for number, values in sound.items():
        other = last.get(values["id"])
        if number in verdict.rejected:
            continue
        if other is not None and mode != "merge":
            verdict.rejected[number] = {("id", "primaryKey")}
            continue
        if other is not None:
            del verdict.accepted[other]
            verdict.superseded += 1
        verdict.accepted[number] = values
        last[values["id"]] = number
    return verdict


def read(items: list[dict[str, Any]], cells: list[str]) -> tuple[dict[str, Any], set[tuple[str | None, str]]]:
    """The values of a row and what it breaks by itself."""
    values: dict[str, Any] = {}
    broken: set[tuple[str | None, str]] = set()
    for item, cell in zip(items, cells, strict=True):
        name = item["name"]
        try:
            values[name] = value_of(item, cell) if cell else None
        except ValueError:
            broken.add((name, "type"))
        else:
            broken |= {(name, rule) for rule in broken_rules(item, values[name])}
    return values, broken


def repeating(name: str, sound: dict[int, dict[str, Any]], mode: str) -> list[int]:
    """Numbers of the rows that have a value which belongs to an earlier row, in merge: to another key."""
    owners: dict[Any, int] = {}
    found = []
    for number, values in sound.items():
        if values[name] is not None:
            first = owners.setdefault(values[name], number)
            if first != number and not (mode == "merge" and sound[first]["id"] == values["id"]):
                found.append(number)
    return found


def stored(item: dict[str, Any], value: Any) -> Any:
    """What the table shows of a value."""
    if value is None:
        return None
    match protection(item):
        case "hash":
            once = hashlib.sha256((SALT + value).encode()).hexdigest()
            return hashlib.sha256((SALT + once).encode()).hexdigest()
        case "mask":
            return "****" + (value[-4:] if len(value) >= 12 else "")
        case _:
            return value


def protection(item: dict[str, Any]) -> str:
    for custom in item.get("customProperties", ()):
        return str(custom["value"]["protect"])
    return "none"


# ---- the kernel against it


def agree(
    rows: list[list[str]], *, items: list[dict[str, Any]], mode: str, metric: str, comparison: int, percent: bool
) -> None:
    terms, holds = COMPARISONS[comparison]
    plain = next((item["name"] for item in items[1:] if protection(item) == "none" and "items" not in item), "id")
    check = {"metric": metric, **({"unit": "percent"} if percent and metric != "rowCount" else {}), **terms}
    quality = [check] if metric == "rowCount" else [{**check, "arguments": {"properties": [plain]}}]
    made = compiled(items, mode=mode, quality=quality)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([[item["name"] for item in items], *rows])
    verdict = judged(items, rows, mode)
    kept = [item for item in items if protection(item) != "omit"]
    with tempfile.TemporaryDirectory() as folder:
        case = run(Path(folder), out.getvalue(), made, salt=SALT)
        accepted = case.rows(f"_sluice_row, {', '.join(item['name'] for item in kept)}")
        rejects = case.rejects()
    assert accepted == [
        (number, *(stored(item, values[item["name"]]) for item in kept))
        for number, values in sorted(verdict.accepted.items())
    ]
    found: dict[int, set[tuple[str | None, str]]] = {}
    for number, name, rule in rejects:
        found.setdefault(number, set()).add((name, rule))
    assert found == verdict.rejected
    load = case.load
    assert (load.rows_read, load.rows_superseded) == (len(rows), verdict.superseded)
    assert load.rows_read == load.rows_accepted + load.rows_rejected + load.rows_superseded
    measure: float = len(verdict.accepted)
    if metric == "duplicateValues":
        given = [values[plain] for values in verdict.accepted.values() if values[plain] is not None]
        measure = len(given) - len(set(given))
        measure = 100 * measure / max(len(verdict.accepted), 1) if percent else measure
    assert bool(broken_checks(load, made)) == (not holds(measure))


CASES = st.fixed_dictionaries(
    {
        "items": properties(),
        "mode": st.sampled_from(["append", "merge", "replace"]),
        "metric": st.sampled_from(["rowCount", "duplicateValues"]),
        "comparison": st.integers(0, len(COMPARISONS) - 1),
        "percent": st.booleans(),
    }
)


def check_case(case: dict[str, Any], data: st.DataObject) -> None:
    cells = st.tuples(*(TEXTS[item["logicalType"]] for item in case["items"])).map(list)
    agree(data.draw(st.lists(cells, max_size=8)), **case)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=CASES, data=st.data())
def test_the_kernel_and_plain_python_say_the_same_of_every_row(case: dict[str, Any], data: st.DataObject) -> None:
    check_case(case, data)


@pytest.mark.proof
@pytest.mark.timeout(600)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=CASES, data=st.data())
def test_they_say_the_same_of_many_more(case: dict[str, Any], data: st.DataObject) -> None:
    check_case(case, data)
