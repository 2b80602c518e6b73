"""Object versions between moto's S3 and files: every version with its id and time, and delete markers as such."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from moto.s3.models import FakeDeleteMarker, FakeKey, s3_backends

from sluice.local.principals import ACCOUNT
from sluice.local.state.journal import Entry, Journal

_A_FOLDER = 1000  # bodies
# What a version has besides name, id, time, size and body; moto's names.
_PLAIN = (
    "_etag", "_storage_class", "encryption", "kms_key_id", "bucket_key_enabled", "lock_mode", "lock_legal_status",
    "lock_until", "checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts",
)  # fmt: skip


class Objects:
    """The versions of all buckets. Each has a number of its own, in the order of writing; bodies are files by number.

    Once a body is on disk it is no longer in memory.
    """

    def __init__(self, folder: Path, *, region: str) -> None:
        self._folder, self._region = folder, region
        self._numbers: dict[tuple[str, str], list[int]] = {}  # of the versions of each key, oldest first
        self._next = itertools.count(1)

    def restore(self, entries: Mapping[int, Entry]) -> None:
        """Put versions into the buckets that are there, and remove bodies that belong to none."""
        for (bucket, key), versions in _by_key(entries.values()).items():
            found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
            if found is not None:
                made: list[Any] = []
                for entry in versions:
                    made.append(self._marker(entry, made) if entry["marker"] else self._version(entry, found))
                found.keys.setlist(key, made)
            self._numbers[bucket, key] = [entry["number"] for entry in versions]
        self._next = itertools.count(max(entries, default=0) + 1)
        for file in self._folder.glob("*/*"):
            if int(file.name) not in entries:
                file.unlink()

    def note(self, bucket: str, key: str, journal: Journal) -> None:
        """Record the present versions of a key. Its callers take turns."""
        known = self._numbers.get((bucket, key), [])
        found = s3_backends[ACCOUNT]["aws"].buckets.get(bucket)
        versions = found.keys.getlist(key, []) if found is not None else []
        now = [self._number(version, bucket, journal) for version in versions]
        for number in set(known) - set(now):
            journal.append({"kind": "gone", "number": number})
            self._body(number).unlink(missing_ok=True)
        self._numbers[bucket, key] = now

    def _number(self, version: Any, bucket: str, journal: Journal) -> int:
        known: int | None = getattr(version, "sluice_number", None)
        if known is not None:
            return known
        number = version.sluice_number = next(self._next)
        is_marker = isinstance(version, FakeDeleteMarker)
        entry: dict[str, Any] = {
            "kind": "object", "number": number, "bucket": bucket, "key": version.name, "version": version.version_id,
            "time": version.last_modified.isoformat(), "marker": is_marker,
        }  # fmt: skip
        if not is_marker:
            _ = version.etag  # worked out now, while the body is in memory
            plain = {name: getattr(version, name, None) for name in _PLAIN}
            entry |= {
                "size": version.size,
                "metadata": dict(version.metadata),
                "plain": {name: value for name, value in plain.items() if value is not None},
            }
            self._store(version, self._body(number))
        journal.append(entry)
        return number

    def _store(self, version: Any, path: Path) -> None:
        """Move a body from memory to its file. Reading goes on: readers hold the version's lock."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with version.lock:
            buffer = version._value_buffer  # noqa: SLF001
            buffer.seek(0)
            with path.open("wb") as file:
                shutil.copyfileobj(buffer, file, 1 << 20)
            version._value_buffer = Body(path)  # noqa: SLF001
            buffer.close()
        if version.multipart is not None:  # else its parts stay in memory, too
            version.multipart.dispose()
            version.multipart = None

    def _version(self, entry: Entry, bucket: Any) -> Any:
        version = FakeKey(
            name=entry["key"], value=b"", account_id=ACCOUNT, region_name=self._region, bucket_name=entry["bucket"],
            is_versioned=bucket.is_versioned, version_id=entry["version"],
        )  # fmt: skip
        for name, value in entry["plain"].items():
            setattr(version, name, value)
        version._metadata.update(entry["metadata"])  # noqa: SLF001
        version._value_buffer.close()  # noqa: SLF001
        version._value_buffer = Body(self._body(entry["number"]))  # noqa: SLF001
        version.contentsize = entry["size"]
        version.last_modified = datetime.fromisoformat(entry["time"])
        version.sluice_number = entry["number"]
        return version

    def _marker(self, entry: Entry, before: list[Any]) -> Any:
        """A delete marker. moto wants to know of the version that it hides."""
        hidden = before[-1] if before else FakeKey(entry["key"], b"", ACCOUNT, self._region)
        marker = FakeDeleteMarker(key=hidden)
        marker.last_modified = datetime.fromisoformat(entry["time"])
        marker._version_id = entry["version"]  # noqa: SLF001
        marker.sluice_number = entry["number"]
        return marker

    def _body(self, number: int) -> Path:
        return self._folder / str(number // _A_FOLDER) / str(number)


class Body:
    """A body on disk as the open file that moto reads. The file is open only while it is read."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def seek(self, offset: int) -> None:
        """Go to a place."""
        self._at = offset

    def read(self, size: int = -1) -> bytes:
        """Read from there on."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            part = file.read(size)
        self._at += len(part)
        return part

    def close(self) -> None:
        """Nothing is open."""


def _by_key(entries: Iterable[Entry]) -> Mapping[tuple[str, str], list[Entry]]:
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: int(entry["number"])):
        found.setdefault((entry["bucket"], entry["key"]), []).append(entry)
    return found
