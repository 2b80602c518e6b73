"""The shape of nested values in sample files, and how a drafted contract writes it down."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

MAX_MEMBERS = 60  # of a column; more of them are keys of a map rather than names
MAX_LEVELS = 8
# Types as DuckDB's `json_group_structure` names them, and the lines that say them in a contract.
_SCALARS = {
    "VARCHAR": ("logicalType: string",),
    "NULL": ("logicalType: string # no value in the samples",),
    "BOOLEAN": ("logicalType: boolean",),
    **dict.fromkeys(("BIGINT", "UBIGINT"), ("logicalType: integer", "physicalType: bigint")),
    "HUGEINT": ("logicalType: number", "physicalType: decimal(38,0)"),
    "DOUBLE": ("logicalType: number", "physicalType: double"),
}
_LETTERS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "ł": "l"}
_WIDENING = ("UBIGINT", "BIGINT", "HUGEINT", "DOUBLE")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A value in JSON: of one of the scalar types, an object of named members, or an array of `items`."""

    scalar: str = ""
    members: tuple[tuple[str, Shape], ...] = ()
    items: Shape | None = None

    @property
    def kind(self) -> str:
        """The logical type of a nested value."""
        return "array" if self.items else "object"

    @property
    def size(self) -> int:
        """How many members it has on all levels."""
        inside = [shape for _, shape in self.members] + ([self.items] if self.items else [])
        return len(self.members) + sum(shape.size for shape in inside)


def shape_of(structure: Any) -> Shape | None:
    """The shape in DuckDB's words for it; None where it is no object or array that a contract can say."""
    found = _shape(structure, 1)
    return found if found and not found.scalar and found.size <= MAX_MEMBERS else None


def _shape(structure: Any, level: int) -> Shape | None:
    if isinstance(structure, str):
        return Shape(scalar=structure) if structure in _SCALARS else None
    if level > MAX_LEVELS or not structure:
        return None
    inside = [_shape(value, level + 1) for value in (structure.values() if isinstance(structure, dict) else structure)]
    known = [shape for shape in inside if shape]
    if len(known) < len(inside):
        return None
    if isinstance(structure, dict):
        return Shape(members=tuple(zip(structure, known, strict=True)))
    return Shape(items=known[0])


def shape_lines(shape: Shape) -> Iterator[str]:
    """The lines of a property that has the shape, from `logicalType` on."""
    if shape.scalar:
        yield from _SCALARS[shape.scalar]
        return
    yield f"logicalType: {shape.kind}"
    if shape.items:
        yield "items:"
        yield from (f"  {line}" for line in shape_lines(shape.items))
        return
    yield "properties:"
    for name, (source, member) in zip(column_names([name for name, _ in shape.members]), shape.members, strict=True):
        yield f"  - name: {name}"
        if name != source:
            yield f"    physicalName: {quoted(source)}"
        yield from (f"    {line}" for line in shape_lines(member))


def quoted(text: str) -> str:
    """A text as YAML has it in quotes."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def column_names(sources: Sequence[str]) -> Sequence[str]:
    """Column names for the names in the file: lower snake case, each once."""
    names: list[str] = []
    for at, source in enumerate(sources, 1):
        spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", source)
        plain = re.sub(r"[^a-z0-9]+", "_", _ascii(spaced.lower())).strip("_")[:100] or f"column_{at}"
        if not plain[0].isalpha() or plain.startswith("sluice"):
            plain = f"column_{plain}"
        name, again = plain, 1
        while name in names:
            again += 1
            name = f"{plain}_{again}"
        names.append(name)
    return names


def _ascii(text: str) -> str:
    """The text without accents; umlauts as German writes them where it has none."""
    spelled = text.translate({ord(mark): letters for mark, letters in _LETTERS.items()})
    return "".join(mark for mark in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(mark))


def merged(one: Any, other: Any) -> Any | None:
    """Both structures in DuckDB's words as one; None where they contradict each other."""
    if isinstance(one, str) and isinstance(other, str):
        if "NULL" in {one, other} or one == other:
            return other if one == "NULL" else one
        return max(one, other, key=_WIDENING.index) if {one, other} <= set(_WIDENING) else None
    if isinstance(one, dict) and isinstance(other, dict):
        members = {name: merged(one[name], value) if name in one else value for name, value in other.items()}
        return None if None in members.values() else {**one, **members}
    if isinstance(one, list) and isinstance(other, list):
        inside = merged(one[0], other[0]) if one and other else (one or other or ["NULL"])[0]
        return None if inside is None else [inside]
    if "NULL" in (one, other):
        return other if one == "NULL" else one
    return None
