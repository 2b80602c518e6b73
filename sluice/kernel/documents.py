"""JSON objects, one to a line or all in one array, as records of cells. Numbers stay the digits that stood there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.delimited import Record
from sluice.kernel.header import sources
from sluice.kernel.outcome import Limits

_BLOCK = 1 << 20
_BLANK = " \t\r\n"
_BLANKS = re.compile(f"[{_BLANK}]*")


class _Number(str):
    """The text of a JSON number."""

    __slots__ = ()


def documents(path: Path, plan: Plan, limits: Limits, *, key: str) -> Iterator[Record]:
    """Yield one record for each object, its cells in the order of `sources`; an absent or null member is None.

    An array that is damaged refuses the file (DataError `file.json`), a damaged line only itself.
    """

    def refuse(rule: str, message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule=rule, object_key=key)

    columns = sources(plan)
    known = set(columns) if plan.reading.unknown_columns == "reject" else None
    with path.open(encoding="utf-8", newline="") as file:
        is_array = file.read(_BLOCK).lstrip(_BLANK).startswith("[")
        file.seek(0)
        if is_array:
            for number, (value, raw) in enumerate(_elements(file, limits, refuse), 1):
                if number > limits.max_rows:
                    raise refuse("file.limit", f"more than {limits.max_rows} records")
                yield _record(value, raw, columns, known)
            return
        while line := file.readline(limits.max_field_bytes + 1):
            if len(line) > limits.max_field_bytes:
                raise refuse("file.limit", f"a line of more than {limits.max_field_bytes} characters")
            if raw := line.strip(_BLANK):
                try:
                    yield _record(_DECODER.decode(raw), raw, columns, known)
                except (ValueError, RecursionError):
                    yield Record([], raw, "expected a JSON object, got text that is no JSON")


def _elements(file: IO[str], limits: Limits, refuse: Callable[[str, str], DataError]) -> Iterator[tuple[Any, str]]:
    """Yield the elements of an array and their texts; at most one element and a block are held."""
    text, at, number = "", 0, 0

    def fetch() -> bool:
        nonlocal text, at
        if len(text) - at > limits.max_field_bytes:
            raise refuse("file.limit", f"a record of more than {limits.max_field_bytes} characters")
        more = file.read(max(_BLOCK, len(text) - at))
        text, at = text[at:] + more, 0
        return bool(more)

    def next_mark() -> str:
        """Return the next character that is not blank, without taking it; nothing at the end."""
        nonlocal at
        while True:
            at = _BLANKS.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere
            if at < len(text) or not fetch():
                return text[at : at + 1]

    def broken() -> DataError:
        return refuse("file.json", f"expected a JSON array, got something else after record {number}")

    next_mark()
    at += 1  # the bracket
    if next_mark() != "]":
        while True:
            next_mark()
            try:
                value, end = _DECODER.raw_decode(text, at)
                complete = end < len(text) or not fetch()
            except (ValueError, RecursionError):
                if not fetch():
                    raise broken() from None
                continue
            if not complete:
                continue  # the block ended with the element, or inside its number
            number += 1
            yield value, text[at:end]
            at = end
            if (mark := next_mark()) not in {",", "]"}:
                raise broken()
            if mark == "]":
                break
            at += 1
    at += 1
    if next_mark():
        raise broken()


def _record(value: Any, raw: str, columns: list[str], known: set[str] | None) -> Record:
    if not isinstance(value, dict):
        return Record([], raw, f"expected a JSON object, got {_KINDS.get(type(value), 'a number')}")
    if known is not None and (unknown := [name for name in value if name not in known]):
        return Record([], raw, f"expected the members of the contract, got {unknown[0][:80]!r}, too")
    return Record([_cell(value.get(name)) for name in columns], raw)


def _cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    """Write a value as JSON again, numbers as they stood."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{_written(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands twice")  # which one counts, nobody can know
    return members


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(
    parse_float=_Number, parse_int=_Number, parse_constant=_constant, object_pairs_hook=_members
)
_KINDS = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}
