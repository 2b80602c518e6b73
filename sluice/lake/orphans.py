"""Files below a table's folder that nothing needs: dead attempts, losers of races, and what expiry has let go.

The argument. To remove a file is safe if no commit that takes effect later, and no reader that is under way, can name
it. A file is removed only if all of these hold, each for a case that the others miss:

1. *It lies below the folder of a table that is ours*, by a name that the project knows.
2. *No retained metadata names it*: neither the present metadata and its log, nor a manifest list, manifest, data or
   delete file of any snapshot that is kept. Files are listed first and the metadata is read after that, so what a
   commit in between has taken in is named. If any of it cannot be read, nothing is removed.
3. *It is old.* The metadata files of a commit under way are unnamed until it lands; they are young then.
4. *Its maker is done.* A run may be redriven for 14 days and publish files that it wrote at the beginning. Files of a
   run whose fence is above the table's are left alone, however old they are: by `publish.py` only those can still come
   in. The same holds for a compaction that has read the present snapshot, and for a table that Athena made for a mart
   and that is still in the catalog.
5. *It was seen so before*, by a pass at least `grace` ago. A mart that changes its shape lets its old files go at once,
   whatever their age, and a query may be reading them; so may one that began just before an expiry.

Objects are deleted by name, which leaves a version of them in the bucket for as long as its lifecycle says: a mistake
of this module can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sluice.errors import TransientError
from sluice.lake.objects import split
from sluice.locations import data_folder_of, table_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table

_THREADS = 16
_MOST_DELETES = 1000  # keys in one DeleteObjects
_ALIASES = ("s3a://", "s3n://")  # as other engines write s3://


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """One object of the lake bucket as a listing tells of it."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a file must have been there, and how long it must have been known as an orphan."""

    age: timedelta
    grace: timedelta


def list_files(s3: S3Client, *, bucket: str, table: str) -> Sequence[StoredObject]:
    """List everything below a table's folder."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=table_prefix(table))
    return [
        StoredObject(key=item["Key"], size=item["Size"], modified=item["LastModified"])
        for page in pages
        for item in page.get("Contents", [])
    ]


def named(table: Table) -> frozenset[str]:
    """Collect the addresses of all files that any retained metadata of the table names."""
    metadata = table.metadata
    names = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    names |= {statistics.statistics_path for statistics in (*metadata.statistics, *metadata.partition_statistics)}
    manifests: dict[str, ManifestFile] = {}
    for snapshot in metadata.snapshots:
        names.add(snapshot.manifest_list)
        manifests |= {manifest.manifest_path: manifest for manifest in snapshot.manifests(table.io)}
    with ThreadPoolExecutor(_THREADS) as pool:
        for entries in pool.map(lambda manifest: manifest.fetch_manifest_entry(table.io), manifests.values()):
            names |= {entry.data_file.file_path for entry in entries}
    return frozenset(map(_plain, (*names, *manifests)))


def unnamed(files: Sequence[StoredObject], names: frozenset[str], *, bucket: str) -> Sequence[StoredObject]:
    """Select the files that are not among the names."""
    return [file for file in files if f"s3://{bucket}/{file.key}" not in names]


def removable(
    files: Sequence[StoredObject],
    seen: Mapping[str, datetime],
    *,
    now: datetime,
    patience: Patience,
    is_wanted: Callable[[str], bool],
) -> Sequence[StoredObject]:
    """Select the unnamed files that may go. `seen` says when each was first seen unnamed.

    `is_wanted(folder)`: an unfinished run or compaction may still commit files of this folder below `data/`.
    """
    return [
        file
        for file in files
        if file.modified <= now - patience.age
        and seen.get(file.key, now) <= now - patience.grace
        and not is_wanted(data_folder_of(file.key))
    ]


def is_of_open_run(folder: str, *, dataset: str, fence: int) -> bool:
    """Tell whether a folder belongs to a run of the dataset that may publish yet: its fence is above the table's."""
    name, _, number = folder.rpartition("-")
    return name == dataset and number.isdecimal() and int(number) > fence


def remove(
    s3: S3Client, files: Sequence[StoredObject], *, bucket: str, has_time: Callable[[], bool]
) -> Iterator[StoredObject]:
    """Delete files, a thousand at a time while there is time; yield those that are gone."""
    for start in range(0, len(files), _MOST_DELETES):
        if not has_time():
            return
        part = files[start : start + _MOST_DELETES]
        answer = s3.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": file.key} for file in part], "Quiet": True}
        )
        failed = {error["Key"] for error in answer.get("Errors", [])}
        if len(failed) == len(part):
            raise TransientError(f"s3://{bucket}/{part[0].key} and others: {answer['Errors'][0].get('Code')}")
        yield from (file for file in part if file.key not in failed)


def missing(names: frozenset[str], files: Sequence[StoredObject], *, bucket: str) -> Sequence[str]:
    """List the names of files that are not there: the table cannot be read where it needs one of them."""
    there = {f"s3://{bucket}/{file.key}" for file in files}
    return sorted(name for name in names if split(name)[0] == bucket and name not in there)


def _plain(name: str) -> str:
    for alias in _ALIASES:
        if name.startswith(alias):
            return f"s3://{name.removeprefix(alias)}"
    return name
