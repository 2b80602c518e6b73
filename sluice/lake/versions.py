"""What the raw bucket holds now: object versions and delete markers with their age. The bucket is the truth.

What follows from it for a dataset is decided in the stages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from sluice.contract.repairs import order_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_THREADS = 16
_NEIGHBOURS = 500  # keys that are listed together
_PAGE = 1000  # versions in one answer of S3
_FEW = 4  # keys for which one call each is fine


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of one key, or a delete marker. `order` sorts by age as text, over all keys of the bucket."""

    key: str
    version_id: str
    size: int
    order: str
    is_marker: bool = False


@dataclass(frozen=True, kw_only=True)
class KeyHistory:
    """All versions of one key, oldest first."""

    key: str
    versions: tuple[Version, ...]

    @property
    def is_deleted(self) -> bool:
        """Whether a plain GET of the key would find nothing."""
        return not self.versions or self.versions[-1].is_marker

    @property
    def newest(self) -> Version | None:
        """The newest real version, whatever delete markers came later; None if there is none."""
        return next((version for version in reversed(self.versions) if not version.is_marker), None)

    @property
    def marker(self) -> Version | None:
        """The delete marker that hides the key, if there is one."""
        return self.versions[-1] if self.versions and self.versions[-1].is_marker else None

    def find(self, version_id: str) -> Version | None:
        """One version or marker by its id."""
        return next((version for version in self.versions if version.version_id == version_id), None)


def list_prefix(s3: S3Client, *, bucket: str, prefix: str) -> Iterator[KeyHistory]:
    """List the history of every key below a prefix, key by key."""
    for key, entries in groupby(_entries(s3, bucket, prefix), key=lambda entry: entry[0]):
        yield history(key, [entry[1:] for entry in entries])


def list_key(s3: S3Client, *, bucket: str, key: str) -> KeyHistory:
    """List the history of one key; without versions if the bucket does not know it."""
    # The listing is sorted by key, and no key with this prefix sorts before the key itself.
    found = next(list_prefix(s3, bucket=bucket, prefix=key), None)
    return found if found is not None and found.key == key else KeyHistory(key=key, versions=())


def list_keys(s3: S3Client, *, bucket: str, keys: Collection[str]) -> Mapping[str, KeyHistory]:
    """List the histories of many keys, those of neighbours together: a page holds a thousand versions.

    Keys that the bucket does not know are there without versions.
    """
    ordered = sorted(keys, key=str.encode)  # as S3 lists them
    parts = [ordered[start : start + _NEIGHBOURS] for start in range(0, len(ordered), _NEIGHBOURS)]
    with ThreadPoolExecutor(_THREADS) as pool:
        found: dict[str, KeyHistory] = {}
        alone: list[str] = []
        for part, together in zip(parts, pool.map(lambda part: _list_together(s3, bucket, part), parts), strict=True):
            if together is None:
                alone += part
            else:
                found |= together
        found |= zip(alone, pool.map(lambda key: list_key(s3, bucket=bucket, key=key), alone), strict=True)
    return {key: found.get(key, KeyHistory(key=key, versions=())) for key in ordered}


def _list_together(s3: S3Client, bucket: str, ordered: Sequence[str]) -> Mapping[str, KeyHistory] | None:
    """List keys by what they begin with; None where too much else begins so, or they are too few to be worth it."""
    if len(ordered) < _FEW:
        return None
    wanted, last = frozenset(ordered), ordered[-1].encode()
    found: dict[str, KeyHistory] = {}
    seen = 0
    for one in list_prefix(s3, bucket=bucket, prefix=commonprefix(ordered)):  # noqa: RUF071  (keys are no paths)
        seen += len(one.versions)
        if one.key in wanted:
            found[one.key] = one
        if one.key.encode() >= last:
            break
        if seen > _PAGE * len(ordered) // _FEW:  # asking for each key would have been less by now
            return None
    return found


def history(key: str, newest_first: Sequence[tuple[datetime, str, int, bool]]) -> KeyHistory:
    """Order the versions of a key, given newest first as (last modified, version id, size, whether a delete marker).

    S3 tells times to the second, and lists versions of a second in the order of their age: the ordinal keeps it.
    """
    versions: list[Version] = []
    for modified, same_time in groupby(reversed(newest_first), key=lambda entry: entry[0]):
        stamp = modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        versions += [
            Version(
                key=key,
                version_id=version,
                size=size,
                order=order_of(key, stamp=stamp, ordinal=at),
                is_marker=is_marker,
            )
            for at, (_, version, size, is_marker) in enumerate(same_time)
        ]
    return KeyHistory(key=key, versions=tuple(versions))


def _entries(s3: S3Client, bucket: str, prefix: str) -> Iterator[tuple[str, datetime, str, int, bool]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        # Of a version and a marker in one second, the marker is taken for the newer one: it hides something.
        listed: list[tuple[Any, bool]] = [(item, True) for item in page.get("DeleteMarkers", [])]
        listed += [(item, False) for item in page.get("Versions", [])]
        # The SDK tells versions and markers apart and so loses their common order: by key, the latest first, then by
        # age. Sorting is stable, so versions of one second stay as S3 listed them.
        listed.sort(key=lambda pair: pair[0]["LastModified"], reverse=True)
        listed.sort(key=lambda pair: (pair[0]["Key"].encode(), not pair[0]["IsLatest"]))
        for item, is_marker in listed:
            yield item["Key"], item["LastModified"], item["VersionId"], item.get("Size", 0), is_marker
