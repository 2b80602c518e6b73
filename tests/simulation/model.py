"""The reference: what the tables must hold, said in plain Python from the raw bucket's versions and the contract.

Shares no code with Sluice. It knows the small files of the simulation (`id,day,amount`, in the second contract also
`note`) and the laws of `docs/architecture.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

MERGING = ("merge", "arrival")  # of each key the latest row; in `arrival` no column says which that is
Cells = tuple[int, date | None, int | None, str | None]
Row = tuple[str, str, int, Cells]  # key, version, record, cells
Reject = tuple[str, str, int | None, str | None, str]  # key, version, record, column, rule


@dataclass(frozen=True)
class Version:
    """One version of a key as the bucket has it; `body` is None for a delete marker. `age` sorts."""

    key: str
    version: str
    age: tuple[
        Any, ...
    ]  # second, key, place among the key's versions; of a repaired file those of what it repairs first
    body: bytes | None
    at: int = 0  # second in which it arrived


@dataclass(frozen=True)
class Content:
    """One version as a contract reads it: accepted cells by record, rejects, and the account."""

    rows: tuple[tuple[int, Cells], ...]
    rejects: tuple[tuple[int | None, str | None, str], ...]
    read: int = 0
    refused: bool = False

    @property
    def account(self) -> tuple[int, int, int, int]:
        """Rows read, accepted, rejected, superseded."""
        bad = len({record for record, _, _ in self.rejects if record is not None})
        return self.read, len(self.rows), bad, self.read - len(self.rows) - bad


def read(body: bytes, *, contract: str, mode: str) -> Content:
    """Read one object."""
    try:
        lines = body.decode().splitlines()
    except UnicodeDecodeError:
        return Content((), ((None, None, "file.encoding"),), refused=True)
    names = lines[0].split(",") if lines else []
    wanted = ["id", "day", "amount", "note"]
    # The first contract wants three columns; the second adds a fourth and takes missing ones for empty.
    if names not in ([wanted[:2], wanted[:3], wanted] if contract == "2.0.0" else [wanted[:3]]):
        return Content((), ((None, None, "file.columns"),), refused=True)
    rows: list[tuple[int, Cells]] = []
    rejects: list[tuple[int | None, str | None, str]] = []
    for record, line in enumerate(lines[1:], start=1):
        cells = line.split(",")
        if len(cells) != len(names):
            rejects.append((record, None, "row.fields"))
            continue
        id_, day, amount, note = (*cells, "", "")[:4]
        broken = [("id", "required")] if not id_ else [("id", "type")] if not _is(int, id_) else []
        broken += [("day", "type")] if day and not _is(date.fromisoformat, day) else []
        broken += [("amount", "type")] if amount and not _is(int, amount) else []
        rejects += [(record, column, rule) for column, rule in broken]
        if not broken:
            day_, amount_ = date.fromisoformat(day) if day else None, int(amount) if amount else None
            rows.append((record, (int(id_), day_, amount_, note or None)))
    kept: dict[int, tuple[int, Cells]] = {}
    for row in rows:
        other = kept.get(row[1][0])
        if other is None or (mode in MERGING and newer(row[1], other[1], mode)):
            kept[row[1][0]] = row
    if mode not in MERGING:
        rejects += [(row[0], "id", "primaryKey") for row in rows if kept[row[1][0]] != row]
    return Content(tuple(kept.values()), tuple(rejects), read=len(lines) - 1)


def tables(
    versions: Iterable[Version], *, mode: str, on_delete: str, contract_of: Callable[[Version], str]
) -> tuple[list[Row], list[Reject]]:
    """What the curated table and the rejects table hold once everything is quiet."""
    by_age = sorted((version for version in versions if not hidden(version.key)), key=lambda version: version.age)
    shown = by_age
    if mode not in MERGING:  # the newest that can be read, of each key or of all, and what tells of newer ones
        rivals: dict[str, list[Version]] = {}
        for version in by_age:
            if version.body is not None or on_delete == "retract":
                rivals.setdefault(version.key if mode == "append" else "", []).append(version)
        shown = [version for group in rivals.values() for version in _last_readable(group, contract_of, mode)]
    rows: list[Row] = []
    rejects: list[Reject] = []
    latest: dict[int, Row] = {}
    for version in (version for version in shown if version.body is not None):
        content = read(version.body or b"", contract=contract_of(version), mode=mode)
        rejects += [(version.key, version.version, *reject) for reject in content.rejects]
        for record, cells in content.rows:
            row = (version.key, version.version, record, cells)
            rows.append(row)
            if cells[0] not in latest or newer(cells, latest[cells[0]][3], mode):
                latest[cells[0]] = row
    return (list(latest.values()) if mode in MERGING else rows), rejects


def sign(key: str) -> str:
    """Return what two repaired files of one second are ordered by."""
    return hashlib.sha256(key.encode()).hexdigest()


def hidden(key: str) -> bool:
    """Readers hide what begins with `_` or `.` on the way to the file."""
    return any(part[0] in "_." for part in key.split("/"))


def _last_readable(group: list[Version], contract_of: Callable[[Version], str], mode: str) -> list[Version]:
    """The newest version that can be read, or delete marker, and all that are newer: these only have rejects."""
    for at in range(len(group) - 1, -1, -1):
        body = group[at].body
        if body is None or not read(body, contract=contract_of(group[at]), mode=mode).refused:
            return group[at:]
    return group


def newer(cells: Cells, than: Cells, mode: str) -> bool:
    """In `merge` the larger amount stays, none being the smallest; else, and in `arrival`, the later delivery."""
    if mode == "arrival":
        return True
    return (cells[2] is not None, cells[2] or 0) >= (than[2] is not None, than[2] or 0)


def _is(kind: Callable[[str], Any], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
