"""The header of a mart file: YAML in the `--` comment between two lines `-- ---`. What it may say, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml

from sluice.errors import ContractError
from sluice.warehouse.mart import MartTest, Materialization, Rule

EXAMPLE = "-- ---\n-- materialized: table\n-- description: One row a day.\n-- keys: [day]\n-- ---"
_FENCE = re.compile(r"--\s*---\s*")
_KEYS = ("materialized", "description", "keys", "partitioned_by", "tests")
_MATERIALIZED = ("table", "view")
_RULES = ("not_null", "unique")


@dataclass(frozen=True)
class Header:
    """What a mart's author says about it."""

    materialized: Materialization
    description: str
    keys: tuple[str, ...]
    partitioned_by: tuple[str, ...]
    tests: tuple[MartTest, ...]


def parse_header(text: str, *, file: str) -> Header:
    """Read the header at the top of a mart file. Raises ContractError with the line."""
    data, first_line = header_yaml(text, file=file, example=EXAMPLE)
    lines = {key: first_line + place for place, key in _places(text, first_line)}

    def fail(key: str, message: str, remedy: str) -> ContractError:
        return ContractError(message, file=file, place=f"line {lines.get(key, first_line)}", remedy=remedy)

    for key in data:
        if key not in _KEYS:
            raise fail(str(key), f"unknown header entry {key!r}", "one of " + ", ".join(_KEYS))
    materialized = data.get("materialized", "table")
    if materialized not in _MATERIALIZED:
        raise fail("materialized", f"materialized: {materialized!r}", "table or view")
    if not isinstance(data.get("description"), str) or not data["description"].strip():
        raise fail("description", "the mart has no description", "say in a sentence what one row is")
    lists: dict[str, tuple[str, ...]] = {}
    for key in ("keys", "partitioned_by"):
        value = data.get(key, [])
        if not _is_texts(value):
            raise fail(key, f"{key} is not a list of columns", f"{key}: [day, carrier]")
        lists[key] = tuple(value)
    tests = data.get("tests", [])
    if not isinstance(tests, list) or not all(_is_test(test) for test in tests):
        raise fail("tests", "tests is not a list of not_null and unique", "- unique: [day, carrier]")
    if materialized == "view" and (tests or lists["partitioned_by"]):
        raise fail(
            "tests" if tests else "partitioned_by", "a view holds no rows to test or partition", "materialized: table"
        )
    said = [MartTest(cast("Rule", rule), tuple(columns)) for t in tests for rule, columns in t.items()]
    implied = [MartTest("not_null", lists["keys"]), MartTest("unique", lists["keys"])] if lists["keys"] else []
    every = tuple(dict.fromkeys([*implied, *said])) if materialized == "table" else ()
    return Header(cast("Materialization", materialized), data["description"].strip(), tests=every, **lists)


def header_yaml(text: str, *, file: str, example: str) -> tuple[Mapping[str, Any], int]:
    """Read the YAML header at the top of a SQL file and the number of its first line. Raises ContractError."""
    lines = text.splitlines()
    comment = next(
        (place for place, line in enumerate(lines) if line.strip() and not line.startswith("--")), len(lines)
    )
    fences = [place for place, line in enumerate(lines[:comment]) if _FENCE.fullmatch(line)]
    if len(fences) != 2:  # noqa: PLR2004 (an opening and a closing one)
        raise ContractError(
            "the file has no header", file=file, place="line 1", remedy=f"begin the file with\n{example}"
        )
    body = "\n".join(line.removeprefix("--").removeprefix(" ") for line in lines[fences[0] + 1 : fences[1]])
    first_line = fences[0] + 2
    try:
        data = yaml.safe_load(body)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {first_line + (mark.line if mark else 0)}"
        raise ContractError(
            "the header is not YAML", file=file, place=place, remedy=f"write it like\n{example}"
        ) from error
    if not isinstance(data, dict):
        raise ContractError("the header is not a YAML mapping", file=file, place=f"line {first_line}", remedy=example)
    return data, first_line


def _places(text: str, first_line: int) -> Sequence[tuple[int, str]]:
    found = []
    for place, line in enumerate(text.splitlines()[first_line - 1 :]):
        match = re.match(r"--\s(\w+)\s*:", line)
        if match:
            found.append((place, match[1]))
        if _FENCE.fullmatch(line):
            break
    return found


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_test(test: object) -> bool:
    return isinstance(test, dict) and bool(test) and all(k in _RULES and _is_texts(v) and v for k, v in test.items())
