"""Frozen sets declared in `frozen/<name>.sql`: a header and one SELECT, compiled at synth as marts are.

What freezing one does is in `sluice.frozen`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sluice.errors import ContractError
from sluice.warehouse.analyse import Columns
from sluice.warehouse.header import Header, header_yaml
from sluice.warehouse.mart import Mart
from sluice.warehouse.parse import draft, typed
from sluice.warehouse.types import from_iceberg

EXAMPLE = "-- ---\n-- description: One row a flight.\n-- key: [flight_id]\n-- label: late\n-- ---"
SPLIT_COLUMN = "split"
_KEYS = ("description", "key", "entity", "label", "time", "split", "retention_days", "drift")
_COLUMNS = ("entity", "label", "time")
_DRIFT = ("psi", "null_share", "label_rate")
_WHOLE = 100

Fail = Callable[[str, str], ContractError]  # (message, remedy)


@dataclass(frozen=True)
class Split:
    """Shares of rows in percent, by name, in the order of the header. Rows of one entity stay together.

    The side of an entity is a function of `seed` and the entity's text alone, so it never moves when data grows.
    """

    shares: tuple[tuple[str, float], ...]
    seed: str


@dataclass(frozen=True)
class SetDefinition:
    """One file `frozen/<name>.sql`. `query` is its SELECT, compiled like a mart's; its `keys` are the key of a row."""

    query: Mart
    entity: str | None  # the column whose rows must stay on one side of a split
    label: str | None
    time: str | None  # the moment at which the label was observed
    split: Split | None
    retention_days: int | None  # None: until somebody removes it
    drift: tuple[tuple[str, float], ...]  # thresholds by measure

    @property
    def name(self) -> str:
        """Return the name of the set: that of its file."""
        return self.query.name

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the compiled definition as 64 hex digits: it changes when the rows may change."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as plain data for JSON."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SetDefinition:
        """Read what `to_dict` returned."""
        split = data["split"]
        shares = tuple((name, share) for name, share in split["shares"]) if split else ()
        return cls(
            **{
                **data,
                "query": Mart.from_dict(data["query"]),
                "split": Split(shares=shares, seed=split["seed"]) if split else None,
                "drift": tuple((name, value) for name, value in data["drift"]),
            }
        )


def compile_sets(
    texts: Mapping[str, str], *, tables: Mapping[str, Columns], marts: Sequence[Mart]
) -> Sequence[SetDefinition]:
    """Compile the files (`file: text`) of frozen sets, by name.

    Args:
        texts: File names and their contents.
        tables: Curated and rejects tables with (column, Iceberg type).
        marts: The compiled marts, which a set may read.

    Raises:
        ContractError: A header, a SELECT or a name in them is wrong; it carries file and line.
    """
    known: dict[str, Columns] = {
        name: [(column, from_iceberg(kind)) for column, kind in columns] for name, columns in tables.items()
    }
    known |= {mart.name: mart.columns for mart in marts}
    return tuple(_compile(file, text, known) for file, text in sorted(texts.items()))


def _compile(file: str, text: str, known: Mapping[str, Columns]) -> SetDefinition:
    data, first_line = header_yaml(text, file=file, example=EXAMPLE)

    def fail(message: str, remedy: str) -> ContractError:
        return ContractError(message, file=file, place=f"header, from line {first_line}", remedy=remedy)

    header = _header(data, fail)
    query = typed(draft(text, file=file, header=header), known)
    names = [name for name, _ in query.columns]
    for entry in _COLUMNS:
        if (name := data.get(entry)) is not None and name not in names:
            raise fail(f"{entry}: {name!r} is not a column of the set", "one of " + ", ".join(names))
    split = _split(data.get("split"), fail)
    if split is not None and SPLIT_COLUMN in names:
        raise fail(f"the SELECT has a column {SPLIT_COLUMN!r}, which the split adds", "give the column another name")
    if split is not None and data.get("entity") is None:
        raise fail("a split needs an entity", "name the column whose rows must stay on one side: entity: tailnum")
    return SetDefinition(
        query=query,
        entity=data.get("entity"),
        label=data.get("label"),
        time=data.get("time"),
        split=split,
        retention_days=data.get("retention_days"),
        drift=_drift(data.get("drift") or {}, fail),
    )


def _header(data: Mapping[str, Any], fail: Fail) -> Header:
    """Check the entries that need no SELECT, and return the header of the query."""
    for entry in data:
        if entry not in _KEYS:
            raise fail(f"unknown header entry {entry!r}", "one of " + ", ".join(_KEYS))
    description, key, days = data.get("description"), data.get("key"), data.get("retention_days")
    if not isinstance(description, str) or not description.strip():
        raise fail("the set has no description", "say in a sentence what one row is")
    if not isinstance(key, list) or not key or not all(isinstance(name, str) for name in key):
        raise fail("the set has no key", "name the columns that tell its rows apart: key: [flight_id]")
    if days is not None and (isinstance(days, bool) or not isinstance(days, int) or days < 1):
        raise fail(f"retention_days: {days!r}", "a whole number of days, or leave it out to keep the set")
    return Header("table", description.strip(), tuple(key), (), ())


def _split(said: Any, fail: Fail) -> Split | None:
    if said is None:
        return None
    example = "split: {train: 80, test: 20, seed: v1}"
    if not isinstance(said, dict):
        raise fail("split is not a mapping", example)
    shares = tuple((str(name), float(share)) for name, share in said.items() if name != "seed" and _is_number(share))
    wrong = len(shares) != len([name for name in said if name != "seed"])
    if wrong or not shares or any(share <= 0 for _, share in shares) or sum(share for _, share in shares) != _WHOLE:
        raise fail("the shares of a split are positive numbers that add up to 100", example)
    return Split(shares=shares, seed=str(said.get("seed", "")))


def _drift(said: Any, fail: Fail) -> tuple[tuple[str, float], ...]:
    if not isinstance(said, dict) or any(name not in _DRIFT or not _is_number(value) for name, value in said.items()):
        raise fail("drift is not a mapping of measures to thresholds", "drift: {psi: 0.2, null_share: 0.05}")
    return tuple(sorted((str(name), float(value)) for name, value in said.items()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
