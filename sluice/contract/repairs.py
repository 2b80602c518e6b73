"""Repaired files: the name of a file of repaired records carries the place in the order of what it repairs.

A file of repaired records is an object of its own and arrives late, but what it says is as old as the object version
that its records were rejected from. Its name says which version that was and how old: nothing but the key is needed to
know the place, so it survives copies, a ledger that is restored and an original that has expired. A renamed file
is an ordinary file. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

PREFIX = "repaired-"
PREFIXES = (PREFIX, "mended-")  # the second is 0.1.0's
_LONGEST = 170  # characters of the quoted key: with the rest of the name it fits a local file's 255 bytes
_NAME = re.compile(PREFIX + r"(?P<identity>[0-9a-f]{16})-(?P<stamp>\d{8}T\d{12}Z)-(?P<ordinal>\d{6})-(?P<key>.+)\.\w+")
_STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{6})Z")
# The order of a repaired file ends in its own time; its place comes first.
_OWN_TIME = re.compile(r"~(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z)/[0-9a-f]{16}/\d{6}$")
_SECONDS = len("2026-11-01T12:00:00.000000Z")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an object version stands in the order: its time, its key below the dataset's folder, its ordinal."""

    stamp: str  # 2026-11-01T12:00:00.000000Z
    key: str
    ordinal: str  # among the versions of the key in that second, six digits

    def order(self, dataset: str) -> str:
        """Return the place as the text that sorts by age."""
        return f"{self.stamp}/{dataset}/{self.key}/{self.ordinal}"


def identity(key: str, version_id: str) -> str:
    """Name an object version in a file's name. 16 hex digits."""
    return hashlib.sha256(f"{key}\n{version_id}".encode()).hexdigest()[:16]


def name_of(*, key: str, version_id: str, order: str, suffix: str) -> str:
    """Return the name of a file that repairs records of this object version, whose order is given.

    A repaired file may have rejects too: what repairs them takes the place of the first original. Of a very long key
    only the beginning goes into the name; it matters between objects of one second.
    """
    place = place_of(key) or Place(stamp=order[:_SECONDS], key=key.partition("/")[2], ordinal=order[-6:])
    shown = _quoted(place.key)
    return f"{PREFIX}{identity(key, version_id)}-{re.sub('[-:.]', '', place.stamp)}-{place.ordinal}-{shown}{suffix}"


def place_of(key: str) -> Place | None:
    """Return the place that a key's name carries, None for an ordinary file."""
    found = _NAME.fullmatch(key.rpartition("/")[2])
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction = _parts(found["stamp"])
    stamp = f"{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction}Z"
    return Place(stamp=stamp, key=_unquoted(found["key"]), ordinal=found["ordinal"])


def repaired_identity(key: str) -> str | None:
    """Return the identity of the object version that a file repairs, None for an ordinary file.

    Files that `sluice rejects` wrote before names carried places are known too; their place is their own.
    """
    found = re.match(rf"(?:{'|'.join(PREFIXES)})([0-9a-f]{{16}})[-.]", key.rpartition("/")[2])
    return found[1] if found else None


def order_of(key: str, *, stamp: str, ordinal: int) -> str:
    """Return the order of an object version: a text that sorts by age over all keys of the bucket.

    Args:
        key: the whole key.
        stamp: when the bucket got it, `2026-11-01T12:00:00.000000Z`.
        ordinal: its place among the versions of the key in that second.

    A repaired file comes right after the version that it repairs, and two of them in the order of their own times.
    Nothing is repaired before it is there: a name that claims to be newer than its file carries no place.
    """
    place = place_of(key)
    if place is None or place.stamp > stamp:
        return f"{stamp}/{key}/{ordinal:06d}"
    own = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{place.order(key.partition('/')[0])}~{stamp}/{own}/{ordinal:06d}"


def time_of(order: str) -> str:
    """Return when the bucket got the object version of this order, as ISO 8601."""
    found = _OWN_TIME.search(order)
    return found[1] if found else order[:_SECONDS]


def _quoted(key: str) -> str:
    """Write a key with the characters that every file system takes, as much of its beginning as fits."""
    written = ""
    for character in key:
        safe = re.fullmatch(r"[A-Za-z0-9._-]", character)
        more = character if safe else "".join(f"%{byte:02X}" for byte in character.encode())
        if len(written) + len(more) > _LONGEST:
            break
        written += more
    return written


def _unquoted(text: str) -> str:
    escaped = re.sub(rb"%([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return escaped.decode(errors="replace")


def _parts(stamp: str) -> Sequence[str]:
    found = _STAMP.fullmatch(stamp)
    assert found is not None  # noqa: S101  (the name's pattern has said so)
    return found.groups()
