"""Cutting a group's objects into parts that tasks read side by side. Where a cut is right, `kernel.split` knows."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.contract.plan import Plan
from sluice.errors import DataError
from sluice.kernel.framing.split import BOM, CONTEXT, Dialect, Scan, chunks, dialect_of, ranges, scan
from sluice.kernel.outcome import Limits
from sluice.kernel.readers.delimited import read_names
from sluice.kernel.readers.header import sources
from sluice.lake.objects import VanishedError, read_head, read_range
from sluice.stages.manifest import ClaimedLoad

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark import SparkContext

_HEAD = 1 << 20  # bytes in which a header must end, or the object stays whole


@dataclass(frozen=True, kw_only=True)
class Part:
    """The bytes [start, end) of a load's object, all of it where `end` is None.

    `first_row` is the number of its first record. `names` is the object's header where the part does not hold it.
    """

    load: ClaimedLoad
    number: int = 0  # among the parts of the group
    start: int = 0
    end: int | None = None
    first_row: int = 1
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """An object that may be cut, unless the scan of its ranges finds a doubt."""

    load: ClaimedLoad
    size: int
    dialect: Dialect
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Scanner:
    """The task that looks at one range of one candidate."""

    connect: Callable[[], S3Client]
    bucket: str

    def __call__(self, piece: tuple[_Candidate, int, int]) -> Scan | None:
        """Return what the range holds; None where the version has vanished, which the reading will find, too."""
        candidate, start, end = piece
        dialect, load = candidate.dialect, candidate.load
        begin = max(start - CONTEXT, dialect.origin)
        blocks = read_range(
            self.connect(), bucket=self.bucket, key=load.key, version_id=load.version_id, start=begin, end=end
        )
        try:
            return scan(blocks, dialect=dialect, start=start, last=end == candidate.size)
        except VanishedError:
            return None


def cut(
    loads: Sequence[ClaimedLoad],
    plan: Plan,
    *,
    spark: SparkContext,
    connect: Callable[[], S3Client],
    bucket: str,
    part_bytes: int,
) -> list[Part]:
    """Return the parts of all loads, in order. To cut objects well above `part_bytes` takes a Spark job of its own."""
    s3 = connect()
    pieces = [
        (candidate, start, end)
        for load in loads
        if load.size >= 2 * part_bytes and (candidate := _candidate(s3, load, plan, bucket)) is not None
        for start, end in ranges(size=candidate.size, dialect=candidate.dialect, chunk_bytes=part_bytes)
    ]
    scans: defaultdict[str, list[Scan | None]] = defaultdict(list)
    if pieces:
        found = spark.parallelize(pieces, len(pieces)).map(_Scanner(connect=connect, bucket=bucket)).collect()
        for (candidate, _, _), seen in zip(pieces, found, strict=True):
            scans[candidate.load.load_id].append(seen)
    candidates = {candidate.load.load_id: candidate for candidate, _, _ in pieces}
    parts: list[Part] = []
    for load in loads:
        candidate = candidates.get(load.load_id)
        pieces_of = _cut_one(candidate, scans[load.load_id]) if candidate else [Part(load=load)]
        parts += (replace(part, number=number) for number, part in enumerate(pieces_of, len(parts)))
    return parts


def _cut_one(candidate: _Candidate, scans: Sequence[Scan | None]) -> list[Part]:
    seen = [one for one in scans if one is not None]
    cuts = chunks(seen, dialect=candidate.dialect, size=candidate.size)
    if len(seen) < len(scans) or len(cuts) == 1:
        return [Part(load=candidate.load)]
    return [
        Part(
            load=candidate.load,
            start=chunk.start,
            end=chunk.end,
            first_row=chunk.first_row,
            names=candidate.names if chunk.start else None,
        )
        for chunk in cuts
    ]


def _candidate(s3: S3Client, load: ClaimedLoad, plan: Plan, bucket: str) -> _Candidate | None:
    """Look at an object's head. Whatever is odd about it, the reading of the whole object will say."""
    try:
        head, size = read_head(s3, bucket=bucket, key=load.key, version_id=load.version_id, length=_HEAD)
        dialect = dialect_of(plan.reading, key=load.key, head=head)
        names = _names(head, dialect, plan, load.key) if dialect else None
    except (VanishedError, DataError, UnicodeDecodeError):
        return None
    if dialect is None or names is None:
        return None
    return _Candidate(load=load, size=size, dialect=dialect, names=names)


def _names(head: bytes, dialect: Dialect, plan: Plan, key: str) -> tuple[str, ...]:
    if dialect.lines or not dialect.header:
        return tuple(sources(plan))
    with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
        path = Path(scratch) / "head"
        path.write_bytes(head[: head.rfind(b"\n") + 1].removeprefix(BOM))  # whole lines: no character is cut in two
        return tuple(read_names(path, plan, Limits(), key=key))
