"""JSON objects as records of cells: one to a line, one after the other in any layout, in an array, or in an envelope.

Numbers stay the digits that stood there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.outcome import Limits
from sluice.kernel.readers.delimited import Record
from sluice.kernel.readers.header import Members, sources

_BLOCK = 1 << 20
_ENVELOPE = 1 << 26  # characters of a file that may be one envelope
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

    An array or a stream that is damaged refuses the file (DataError `file.json`), a damaged line only itself.
    """

    def refuse(rule: str, message: str) -> DataError:
        return DataError(message, dataset=plan.dataset, rule=rule, object_key=key)

    columns = sources(plan)
    shape = _Shape(
        columns, frozenset(columns), plan.reading.unknown_columns, shown=not plan.protects, seen=seen or Seen()
    )
    with path.open(encoding="utf-8", newline="") as file:
        if plan.reading.record_path or _layout(file, limits) != "lines":
            for value, raw in JsonStream(file, limits, refuse).records(plan.reading.record_path):
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


def _layout(file: IO[str], limits: Limits) -> Literal["array", "stream", "lines"]:
    """Tell how the objects of a file stand in it, by the first of them: in an array, one to a line, or as they come.

    Objects that come over several lines, or several to a line, are a stream.
    """
    text = file.read(_BLOCK)
    try:
        start = len(text) - len(text.lstrip(_BLANK))
        if text[start : start + 1] == "[":
            return "array"
        first, _, _ = text[start:].partition("\n")
        with suppress(ValueError, RecursionError):
            _DECODER.decode(first.strip(_BLANK))
            return "lines"
        while True:
            try:
                value, end = _DECODER.raw_decode(text, start)
            except (ValueError, RecursionError):
                more = file.read(max(_BLOCK, len(text))) if len(text) <= limits.max_field_bytes else ""
                if not more:
                    return "lines"  # the first object is damaged: in a file of lines it costs itself alone
                text += more
            else:
                after = text[end:].lstrip(_BLANK)[:1]
                return "stream" if isinstance(value, dict) and after in {"", "{"} else "lines"
    finally:
        file.seek(0)


def find_record_path(path: Path) -> tuple[str, ...]:
    """Return the path to the records of a file that is one envelope: the longest list of objects, two levels deep.

    Empty where the file is no single object, or holds no such list.
    """
    with path.open(encoding="utf-8") as file:
        try:
            value = _DECODER.decode(file.read(_ENVELOPE))
        except (ValueError, RecursionError):
            return ()
    lists: dict[tuple[str, ...], int] = {}
    for name, inside in value.items() if isinstance(value, dict) else ():
        nested: list[tuple[tuple[str, ...], Any]] = [((name,), inside)]
        nested += [((name, own), items) for own, items in inside.items()] if isinstance(inside, dict) else []
        lists |= {
            where: len(items)
            for where, items in nested
            if isinstance(items, list) and items and all(isinstance(item, dict) for item in items)
        }
    return max(lists, key=lambda where: lists[where], default=())


def member_names(path: Path, plan: Plan, limits: Limits, *, key: str) -> list[str]:
    """List the members of all objects of a file, in the order in which they are first met."""
    names: dict[str, None] = {}
    for record in documents(path, plan, limits, key=key):
        with suppress(ValueError):
            value = _DECODER.decode(record.raw)
            names |= dict.fromkeys(value if isinstance(value, dict) else ())
    return list(names)


class JsonStream:
    """The objects of a JSON text with their texts; at most one of them and a block are held at a time."""

    def __init__(self, file: IO[str], limits: Limits, refuse: Callable[[str, str], DataError]) -> None:
        self._file, self._limits, self._refuse = file, limits, refuse
        self._text, self._at, self._number, self._whole = "", 0, 0, "JSON"

    def records(self, path: Sequence[str] = ()) -> Iterator[tuple[Any, str]]:
        """Yield the objects: those of an array, those that follow one another, or those below `path` of each of them.

        Raises DataError `file.json` where the text breaks off, or where an envelope lacks the path or has it twice.
        """
        while mark := self._mark():
            if path:
                yield from self._below(path)
            elif mark == "[":
                self._whole = "a JSON array"
                yield from self._elements()
                if self._mark():
                    raise self._broken()
            else:
                yield self._element()

    def _elements(self) -> Iterator[tuple[Any, str]]:
        self._expect("[")
        if self._mark() != "]":
            yield self._element()
            while self._mark() != "]":
                self._expect(",")
                yield self._element()
        self._expect("]")

    def _below(self, path: Sequence[str]) -> Iterator[tuple[Any, str]]:
        """Yield what stands below the path in the value that comes next; an object there is one record."""
        if not path:
            if self._mark() == "[":
                yield from self._elements()
            elif (found := self._element())[0] is not None:
                yield found
            return
        self._expect("{")
        met = 0
        while self._mark() != "}":
            name, _ = self._element(counts=False)
            self._expect(":")
            if name == path[0]:
                met += 1
                yield from self._below(path[1:])
            else:
                self._element(counts=False)
            if self._mark() != "}":
                self._expect(",")
        self._expect("}")
        if met != 1:
            times = "twice" if met else "not at all"
            raise self._refuse("file.json", f"expected the member {path[0]!r} of the recordPath once, got it {times}")

    def _element(self, *, counts: bool = True) -> tuple[Any, str]:
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
            self._at, self._number = end, self._number + counts
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
        return self._refuse("file.json", f"expected {self._whole}, got something else after record {self._number}")


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
