"""Small files of a table become fewer: which ones, and how the table takes the new ones in exactly once.

The argument, in the words of `publish.py`. A compaction changes no row, so it may be lost at any time; what it must not
do is bring back a row that a run has replaced in the meantime, or put one beside itself.

1. *It rests on what it read.* Its commit removes the files that it has read and adds the one that holds their rows. It
   is only made while the table still has all of them, and by (2) there the commit fails if the table has changed since.
   A file that is in the table holds what it held when it was read: files never change.
2. *It takes effect at most once.* After it has, its sources are not in the table any more, and never come back.
3. *It does not fight.* A run that finds its commit overtaken by a compaction plans anew, as after any other conflict;
   a compaction that was overtaken is given up where a run has touched its sources. It makes one commit a pass.
4. *It does not pass for a run.* The fence and the other marks of runs stay as they are.
5. *Its files are safe until then.* They lie in a folder named after the snapshot that it has read. While that is the
   table's snapshot, nobody removes anything there (`orphans.py`); when it is not, (1) lets no file in from there that
   is not in the table already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sluice.lake.pruning import all_files, bounds
from sluice.lake.publish import Edit
from sluice.locations import data_folder

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

KIND = "sluice.maintain"  # in the summary of a snapshot that changes no row
_FOLDER = "compact-"


@dataclass(frozen=True, kw_only=True)
class FileSizes:
    """The sizes of small files and of merged ones. Bytes are compressed bytes."""

    small: int = 32 << 20  # a file below it is worth a merger
    target: int = 128 << 20  # of a new file
    least: int = 8  # files of one partition that are worth a commit
    most: int = 4 << 30  # read in one pass


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Addresses of files of one partition that become one."""

    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """A bin and the address of the file that holds its rows, not yet visible."""

    bin: Bin
    uri: str


def bins(table: Table, *, order: str, sizes: FileSizes) -> Sequence[Bin]:
    """Choose files to merge: neighbours in the column `order`, so that the bounds of new files meet rarely.

    Raises ContractError where another writer has left row-level deletes.
    """
    spec = table.spec().spec_id  # files of a former partitioning cannot be written again in it
    small = [file for file in all_files(table) if file.spec_id == spec and file.file_size_in_bytes < sizes.small]
    chosen: list[Bin] = []
    left = sizes.most
    for _, files in groupby(sorted(small, key=_partition), key=_partition):
        for part in _packed(sorted(files, key=lambda file: _low(table, file, order)), sizes.target):
            total = sum(file.file_size_in_bytes for file in part)
            if len(part) >= sizes.least and total <= left:
                chosen.append(Bin(files=tuple(file.file_path for file in part), bytes=total))
                left -= total
    return chosen


def folder(table: str, snapshot_id: int) -> str:
    """Return the key prefix for the files of a compaction that has read this snapshot."""
    return data_folder(table, f"{_FOLDER}{snapshot_id}")


def is_of(owner: str, snapshot_id: int | None) -> bool:
    """Tell whether the folder `owner` of data files belongs to a compaction that has read this snapshot."""
    return owner == f"{_FOLDER}{snapshot_id}"


def edit(table: Table, done: Iterable[Compacted]) -> Edit | None:
    """Plan the commit of compacted bins, as far as the table still has all that they were made of."""
    present = {file.file_path: file for file in all_files(table)}
    whole = [one for one in done if all(uri in present for uri in one.bin.files)]
    if not whole:
        return None
    return Edit(
        add=tuple(one.uri for one in whole),
        remove=tuple(present[uri] for one in whole for uri in one.bin.files),
        summary={KIND: "compact"},
    )


def _packed(files: Sequence[DataFile], target: int) -> Iterator[Sequence[DataFile]]:
    part: list[DataFile] = []
    room = target
    for file in files:
        if part and file.file_size_in_bytes > room:
            yield part
            part, room = [], target
        part.append(file)
        room -= file.file_size_in_bytes
    yield part


def _partition(file: DataFile) -> str:
    return repr(file.partition)


def _low(table: Table, file: DataFile, column: str) -> tuple[bool, Any]:
    found = bounds(table, file, column)
    return (True, found[0]) if found else (False, None)
