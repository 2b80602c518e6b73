"""Sluice's options beyond the standard: the custom property `sluice`, on the schema object and on properties.

    customProperties:
      - property: sluice
        value: {mode: merge, sequenceBy: updated_at, nullTexts: ["", "NA"]}

One namespaced mapping, so that a slip of the pen in it is an error while other tools' custom properties are left
alone. What the options on the schema object mean is in `reading`.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from open_data_contract_standard.model import CustomProperty

from sluice.contract.document import Document
from sluice.contract.filetypes import OPTIONS, SPELLING_OPTIONS
from sluice.contract.model import Position

PROPERTY = "sluice"
OBJECT_OPTIONS = frozenset(
    {
        *("mode", "onDelete", "sequenceBy", "maxRejectShare", "budget", "protect", "include", "exclude"),
        *("format", "compression", "nullTexts", "blanks", "unknownColumns", "extraColumn", "missingColumns"),
        *OPTIONS,
    }
)
COLUMN_OPTIONS = frozenset({"partitionTransform", "protect", *SPELLING_OPTIONS})
_T = TypeVar("_T")


@dataclass(frozen=True)
class Custom:
    """The `sluice` mapping of one part of the contract; each getter checks the value that it returns."""

    values: dict[str, Any]
    document: Document
    path: str

    def source(self, name: str) -> Position:
        """Where the option stands."""
        return self.document.at(f"{self.path}.{name}" if self.path else "")

    def text(self, name: str, default: _T) -> str | _T:
        """A text of any length."""
        return self._typed(name, default, str, "a text")

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        return self._typed(name, default, bool, "true or false")

    def count(self, name: str, default: int) -> int:
        """A whole number from 0."""
        value = self._typed(name, default, int, "a whole number")
        if value < 0:
            raise self.source(name).error(f"{name} is {value}", "write 0 or more")
        return value

    def share(self, name: str) -> float | None:
        """A number from 0 to 1."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= 1:
            raise self.source(name).error(f"{name} is {value!r}", "write a number from 0 to 1, such as 0.05")
        return float(value)

    def choice(self, name: str, default: _T, choices: tuple[str, ...]) -> Any | _T:
        """One of a set of words."""
        value = self.values.get(name)
        if value is None and name in self.values and "null" in choices:  # to YAML, null without quotes is no value
            raise self.source(name).error(f"{name} has no value", f'write `{name}: "null"`, in quotes')
        if value is not None and value not in choices:
            raise self.source(name).error(f"{name} is {value!r}", f"write one of {', '.join(choices)}")
        return default if value is None else value

    def texts(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts; unquoted numbers and words in it are taken as they were written."""
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(item, str | int) and item is not None for item in value):
            raise self.source(name).error(f"{name} is {value!r}", 'write a list of quoted texts, such as ["", "NA"]')
        if any(isinstance(item, bool) for item in value):
            raise self.source(name).error(f"{name} holds true or false", "put the word in quotes")
        return tuple(dict.fromkeys(str(item) for item in value))

    def patterns(self, name: str) -> tuple[str, ...]:
        """A list of patterns of keys below the dataset's folder."""
        for pattern in (found := self.texts(name, ())):
            if not pattern or pattern.startswith("/") or "//" in pattern or pattern.endswith("/"):
                raise self.source(name).error(
                    f"{name} holds {pattern!r}", 'write patterns of keys below the dataset\'s folder: ["2024/**/*.csv"]'
                )
        return found

    def _typed(self, name: str, default: _T, kind: type, words: str) -> Any | _T:
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.source(name).error(f"{name} is {value!r}", f"write {words}")
        return value


def read_custom(
    properties: Sequence[CustomProperty] | None, *, document: Document, path: str, known: frozenset[str]
) -> Custom:
    """The `sluice` mapping among `properties`, whose names must all be known."""
    found = Custom({}, document, "")
    for position, item in enumerate(properties or ()):
        here = document.at(f"{path}.customProperties[{position}]")
        if item.vendor not in {None, PROPERTY}:
            continue
        if item.property in known:  # a word that means nothing at this place is another tool's
            raise here.error(
                f"the custom property {item.property!r} has no effect here",
                "put it into the mapping of the custom property `sluice`",
            )
        if item.property != PROPERTY:
            continue
        if found.path:
            raise here.error("the custom property `sluice` stands twice", "keep one")
        if not isinstance(item.value, dict):
            raise here.error("the value of `sluice` is no mapping", "write `value: {mode: append}`")
        found = Custom(item.value, document, f"{here.path}.value")
    for name in found.values:
        if name not in known:
            close = difflib.get_close_matches(str(name), sorted(known), n=1)
            raise found.source(name).error(
                f"unknown option {name!r}",
                f"did you mean {close[0]}?" if close else f"known: {', '.join(sorted(known))}",
            )
    return found
