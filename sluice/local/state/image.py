"""The sum of a journal: the last entry of each object version, ledger item, table entry and parameter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, assert_never, get_args

from sluice.local.state.journal import Entry

Kind = Literal["object", "gone", "item", "table", "parameter"]
_KINDS: frozenset[str] = frozenset(get_args(Kind))
_SPARE = 1000  # superseded entries that are never worth a new file


@dataclass
class Image:
    """The entries in force, by subject."""

    objects: dict[int, Entry] = field(default_factory=dict)  # by number, in the order of their writing
    items: dict[tuple[str, str], Entry] = field(default_factory=dict)
    tables: dict[tuple[str, str], Entry] = field(default_factory=dict)
    parameters: dict[str, Entry] = field(default_factory=dict)
    read: int = 0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Image:
        """Read a journal's entries."""
        image = cls()
        for entry in entries:
            image._take(entry)
        return image

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries of a journal that comes to the same."""
        for entries in (self.objects, self.items, self.tables, self.parameters):
            yield from entries.values()

    def __len__(self) -> int:
        return len(self.objects) + len(self.items) + len(self.tables) + len(self.parameters)

    @property
    def is_wasteful(self) -> bool:
        """Whether most of the journal is superseded: then writing it anew costs less than it has saved."""
        return self.read > 2 * len(self) + _SPARE

    def _take(self, entry: Entry) -> None:
        self.read += 1
        kind: Kind = entry["kind"]
        match kind:
            case "object":
                self.objects[entry["number"]] = entry
            case "gone":
                self.objects.pop(entry["number"], None)
            case "item":
                _put(self.items, (entry["table"], json.dumps(entry["key"], sort_keys=True)), entry, entry["item"])
            case "table":
                _put(self.tables, (entry["database"], entry["name"]), entry, entry["input"])
            case "parameter":
                _put(self.parameters, entry["name"], entry, entry["value"])
            case _:
                assert_never(kind)


def _put(entries: dict[Any, Entry], key: Any, entry: Entry, value: object) -> None:
    """Replace the entry of a key; one without a value says that there is none any more."""
    if value is None:
        entries.pop(key, None)
    else:
        entries[key] = entry
