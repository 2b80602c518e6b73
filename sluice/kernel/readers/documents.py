"""JSON objects, one to a line or all in one array, as records of cells. Numbers stay the digits that stood there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.outcome import Limits
from sluice.kernel.readers.delimited import Record
from sluice.kernel.readers.header import Members, sources

_BLOCK = 1 << 20
_BLANK = " \t\r\n"
_BLANKS = re.compile(f"[{_BLANK}]*")


class _Number(str):
    """The text of a JSON number."""

    __slots__ = ()


@dataclass
class Seen:
    """Gathers the members of the objects of a file."""

    members: Members = field(default_factory=Members)


def documents(path: Path, plan: Plan, limits: Limits, *, key: str, seen: Seen | None = None) -> Iterator[Record]:
    """Yield one record for each object, its cells in the order of `sources`; an absent or null member is None.

    Where the plan takes unknown members, they are one cell more. `seen` knows the members of all objects at the end.

    An array that is damaged refuses the file (DataError `file.json`), a damaged line only itself.
    """

    def refuse(rule: str, message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule=rule, object_key=key)

    columns = sources(plan)
    shape = _Shape(
        columns, frozenset(columns), plan.reading.unknown_columns, shown=not plan.protects, seen=seen or Seen()
    )
    with path.open(encoding="utf-8", newline="") as file:
        is_array = file.read(_BLOCK).lstrip(_BLANK).startswith("[")
        file.seek(0)
        if is_array:
            for value, raw in _Array(file, limits, refuse):
                yield _record(value, raw, shape)
            return
        while line := file.readline(limits.max_field_bytes + 1):
            if len(line) > limits.max_field_bytes:
                raise refuse("file.limit", f"a line of more than {limits.max_field_bytes} characters")
            if raw := line.strip(_BLANK):
                try:
                    yield _record(_DECODER.decode(raw), raw, shape)
                except (ValueError, RecursionError):
                    yield Record([], raw, "expected a JSON object, got text that is no JSON")


def member_names(path: Path, plan: Plan, limits: Limits, *, key: str) -> list[str]:
    """List the members of all objects of a file, in the order in which they are first met."""
    names: dict[str, None] = {}
    for record in documents(path, plan, limits, key=key):
        with suppress(ValueError):
            value = _DECODER.decode(record.raw)
            names |= dict.fromkeys(value if isinstance(value, dict) else ())
    return list(names)


class _Array:
    """The elements of a JSON array with their texts; at most one element and a block are held at a time."""

    def __init__(self, file: IO[str], limits: Limits, refuse: Callable[[str, str], DataError]) -> None:
        self._file, self._limits, self._refuse = file, limits, refuse
        self._text, self._at, self._number = "", 0, 0

    def __iter__(self) -> Iterator[tuple[Any, str]]:
        self._expect("[")
        if self._mark() != "]":
            yield self._element()
            while self._mark() != "]":
                self._expect(",")
                yield self._element()
        self._expect("]")
        if self._mark():
            raise self._broken()

    def _element(self) -> tuple[Any, str]:
        self._mark()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                if not self._fetch():
                    raise self._broken() from None
                continue
            if end == len(self._text) and self._fetch():
                continue  # the block ended with the element, or inside its number
            raw = self._text[self._at : end]
            self._at, self._number = end, self._number + 1
            if self._number > self._limits.max_rows:
                raise self._refuse("file.limit", f"more than {self._limits.max_rows} records")
            return value, raw

    def _mark(self) -> str:
        """Return the next character that is not blank, without taking it; nothing at the end."""
        while True:
            blanks = _BLANKS.match(self._text, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._text) or not self._fetch():
                return self._text[self._at : self._at + 1]

    def _expect(self, mark: str) -> None:
        if self._mark() != mark:
            raise self._broken()
        self._at += 1

    def _fetch(self) -> bool:
        held = len(self._text) - self._at
        if held > self._limits.max_field_bytes:
            raise self._refuse("file.limit", f"a record of more than {self._limits.max_field_bytes} characters")
        more = self._file.read(max(_BLOCK, held))
        self._text, self._at = self._text[self._at :] + more, 0
        return bool(more)

    def _broken(self) -> DataError:
        return self._refuse("file.json", f"expected a JSON array, got something else after record {self._number}")


@dataclass(frozen=True)
class _Shape:
    """The members that become cells, and what becomes of others."""

    columns: list[str]
    known: frozenset[str]
    unknown: str  # reject, ignore, take
    shown: bool  # whether a message may name an unknown member
    seen: Seen


def _record(value: Any, raw: str, shape: _Shape) -> Record:
    if not isinstance(value, dict):
        return Record([], raw, f"expected a JSON object, got {_KINDS.get(type(value), 'a number')}")
    members = shape.seen.members
    if not (members.objects and members.seen == shape.known):
        shape.seen.members = members.with_object(value, shape.known)
    cells = [_cell(value.get(name)) for name in shape.columns]
    if shape.unknown == "ignore":
        return Record(cells, raw)
    unknown = [name for name in value if name not in shape.known]
    if shape.unknown == "take":
        return Record([*cells, _written({name: value[name] for name in unknown}) if unknown else None], raw)
    if unknown:
        got = repr(unknown[0][:80]) if shape.shown else "others"
        return Record([], raw, f"expected the members of the contract, got {got}, too")
    return Record(cells, raw)


def _cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    """Write a value as JSON again, numbers as they stood."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json.dumps(name, ensure_ascii=False)}:{_written(item)}" for name, item in value.items())
        return "{" + ",".join(members) + "}"
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
