"""What travels between the two kinds of tasks: files in slices, and how each part ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.readers.header import Members

_SLICE = 8 << 20  # bytes; Python and Spark hold several at a time


@dataclass(frozen=True)
class Slice:
    """Some bytes of a packed file on their way to a bucket."""

    load_id: str
    name: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Report:
    """How the reading of one part ended. All buckets get it: none may write rows of an object refused elsewhere."""

    part: int
    load_id: str
    rows: int = 0
    refused: tuple[str, str, str] | None = None  # rule, message, detail
    members: Members = field(default_factory=Members)
    vanished: bool = False


Packet: TypeAlias = Slice | Report


@dataclass(frozen=True)
class Inbox:
    """All that came to one bucket: reports in order of the parts, and files with their loads."""

    reports: tuple[Report, ...]
    files: tuple[tuple[Path, str], ...]


def slices(path: Path, *, load_id: str, name: str) -> Iterator[Slice]:
    """Cut a file into packets. `name` must be the same in each attempt, and no other file's."""
    with path.open("rb") as file:
        while data := file.read(_SLICE):
            yield Slice(load_id, name, file.tell() - len(data), data)


def receive(packets: Iterable[Packet], folder: Path) -> Inbox:
    """Put slices together again, in the new folder `folder`, whatever order they come in."""
    folder.mkdir()
    reports: dict[int, Report] = {}
    loads: dict[str, str] = {}
    for packet in packets:
        if isinstance(packet, Report):
            reports[packet.part] = packet
            continue
        path = folder / packet.name
        if packet.name not in loads:
            path.touch()
        loads[packet.name] = packet.load_id
        with path.open("r+b") as file:
            file.seek(packet.offset)
            file.write(packet.data)
    return Inbox(
        reports=tuple(reports[part] for part in sorted(reports)),
        files=tuple((folder / name, loads[name]) for name in sorted(loads)),
    )


def vanished(reports: Iterable[Report]) -> set[str]:
    """Return the loads of which at least one part was gone."""
    return {report.load_id for report in reports if report.vanished}


def refusals(reports: Sequence[Report], plan: Plan) -> dict[str, tuple[str, str, str]]:
    """Return the refused loads with rule, message and detail: what a reading from the start would have met first.

    A member that JSON must have may be missing in one part and there in another: only all parts tell.
    """
    gone = vanished(reports)
    found: dict[str, tuple[str, str, str]] = {}
    for report in reports:
        if report.refused and report.load_id not in gone:
            found.setdefault(report.load_id, report.refused)
    members: dict[str, Members] = {}
    for report in reports:
        members[report.load_id] = members.get(report.load_id, Members()).and_those_of(report.members)
    for load_id, seen in members.items():
        try:
            seen.refuse_missing(plan, key="")
        except DataError as error:
            if load_id not in gone:
                found.setdefault(load_id, (error.rule, error.message, error.detail))
    return found
