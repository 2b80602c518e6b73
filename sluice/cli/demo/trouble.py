"""The trouble that the demo makes on purpose: how files are spoilt, and what must become of them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_ROWS_OF_A_KIND = 7
_FIRST_MADE_UP_FLIGHT = 9000  # real flight numbers of 2013 end at 8500, so made-up rows repeat no key


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """One way of spoiling a row, with the rule and column that must name it."""

    what: str
    column: str | None
    rule: str
    spoil: Callable[[Mapping[str, str]], Sequence[str]]


def _with(column: str, value: str) -> Callable[[Mapping[str, str]], Sequence[str]]:
    return lambda row: list({**row, column: value}.values())


KINDS = (
    Corruption(what="a delay in words", column="dep_delay", rule="type", spoil=_with("dep_delay", "soon")),
    Corruption(
        what="a day that never was", column="time_hour", rule="type", spoil=_with("time_hour", "2013-06-31T10:00:00Z")
    ),
    Corruption(what="no carrier", column="carrier", rule="required", spoil=_with("carrier", "NA")),
    Corruption(what="a negative distance", column="distance", rule="minimum", spoil=_with("distance", "-1")),
    Corruption(what="two fields short", column=None, rule="row.fields", spoil=lambda row: list(row.values())[:-2]),
    Corruption(
        what="a flight told twice",
        column="carrier, flight, time_hour",
        rule="primaryKey",
        spoil=lambda row: list(row.values()),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A file with spoilt rows among its own: `rows` maps the record number of each to its kind."""

    content: bytes
    rows: Mapping[int, Corruption]


def plant(lines: Sequence[bytes]) -> Planted:
    """Insert seven spoilt copies of each kind, evenly spread. Rows of the original stay as they were.

    A copy stands after its original and, but for the repeated flight, carries a flight number of its own, so that each
    spoilt row breaks one rule.
    """
    names = lines[0].decode().rstrip("\r\n").split(",")
    total = _ROWS_OF_A_KIND * len(KINDS)
    step = (len(lines) - 1) // (total + 1)
    content, planted, record = [lines[0]], {}, 0
    for position, line in enumerate(lines[1:], start=1):
        content.append(line)
        record += 1
        number, rest = divmod(position, step)
        if rest or not 1 <= number <= total:
            continue
        kind = KINDS[(number - 1) % len(KINDS)]
        row = dict(zip(names, line.decode().rstrip("\r\n").split(","), strict=True))
        if kind.rule != "primaryKey":
            row["flight"] = str(_FIRST_MADE_UP_FLIGHT + number)
        content.append(",".join(kind.spoil(row)).encode() + b"\n")
        record += 1
        planted[record] = kind
    return Planted(content=b"".join(content), rows=planted)


def in_kilometres(lines: Sequence[bytes]) -> bytes:
    """Spoil a month as it was first sent: distances in kilometres, not miles. The contract allows every value."""
    at = lines[0].decode().rstrip("\r\n").split(",").index("distance")
    wrong = [lines[0]]
    for line in lines[1:]:
        fields = line.split(b",")
        fields[at] = str(round(int(fields[at]) * 1.609344)).encode()
        wrong.append(b",".join(fields))
    return b"".join(wrong)


def picture() -> bytes:
    """Bytes that begin as a PNG file does: somebody dropped the wrong file."""
    noise = b"".join(hashlib.sha256(bytes([block])).digest() for block in range(64))
    return b"\x89PNG\r\n\x1a\n" + noise
