"""The two kinds of tasks: one reads and examines parts, one judges, writes and uploads a bucket. No Spark in here.

A task may run twice or side by side with itself: it writes to a folder of its own, and uploads by content.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.distributed.cut import Part
from sluice.distributed.packets import Packet, Report, receive, refusals, slices, vanished
from sluice.errors import DataError, TransientError
from sluice.kernel.exchange import Packed, pack, write_bucket
from sluice.kernel.outcome import Limits, LoadSummary, SourceFile
from sluice.kernel.readers.documents import Seen
from sluice.lake.objects import VanishedError, fetch_version, read_range
from sluice.stages.manifest import Claim, ClaimedLoad, StoredFile
from sluice.stages.transform import upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every task of a job knows. It travels with the task, so it holds no client and no open file."""

    claim: Claim
    loads: tuple[ClaimedLoad, ...]
    parts: int
    buckets: int
    connect: Callable[[], S3Client]
    raw_bucket: str
    lake_bucket: str
    reading: Limits
    writing: Limits
    salt: str | None = field(default=None, repr=False)

    def examine(self, parts: Iterable[Part]) -> Iterator[tuple[int, Packet]]:
        """Examine parts. Yields (bucket, packet): the packed records, then for each part its report to all buckets."""
        s3 = self.connect()
        for part in parts:
            with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
                report, packed = self._examine(s3, part, Path(scratch))
                for at, file in enumerate(packed):
                    name = f"{part.number:06d}-{at:06d}.parquet"
                    for piece in slices(file.path, load_id=part.load.load_id, name=name):
                        yield file.bucket, piece
            for bucket in range(self.buckets):
                yield bucket, report

    def _examine(self, s3: S3Client, part: Part, scratch: Path) -> tuple[Report, list[Packed]]:
        report, seen = Report(part.number, part.load.load_id), Seen()
        try:
            source = self._fetch(s3, part, scratch / "source")
            rows, packed = pack(
                source,
                self.claim.plan,
                buckets=self.buckets,
                out=scratch / "packed",
                scratch=scratch / "spill",
                run_id=self.claim.run_id,
                limits=self.reading,
                salt=self.salt,
                first_row=part.first_row - 1,
                names=part.names,
                seen=seen,
            )
        except VanishedError:
            return replace(report, vanished=True), []
        except DataError as error:  # nobody retries those: a report, not a failed task
            return replace(report, refused=(error.rule, error.message, error.detail)), []
        return replace(report, rows=rows, members=seen.members), packed

    def _fetch(self, s3: S3Client, part: Part, path: Path) -> SourceFile:
        load = part.load
        if part.end is None:
            fetch_version(s3, bucket=self.raw_bucket, key=load.key, version_id=load.version_id, path=path)
        else:
            with path.open("wb") as file:
                file.writelines(
                    read_range(
                        s3,
                        bucket=self.raw_bucket,
                        key=load.key,
                        version_id=load.version_id,
                        start=part.start,
                        end=part.end,
                    )
                )
        return _source(load, path, offset=part.start)

    def write(self, bucket: int, packets: Iterable[tuple[int, Packet]]) -> Iterator[BucketResult]:
        """Write and upload one bucket, after its last packet has come. Yields one result."""
        with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
            inbox = receive((packet for _, packet in packets), Path(scratch) / "in")
            if len(inbox.reports) != self.parts:
                raise TransientError(f"bucket {bucket} heard of {len(inbox.reports)} parts, expected {self.parts}")
            refused, gone = refusals(inbox.reports, self.claim.plan), vanished(inbox.reports)
            outcome = write_bucket(
                [path for path, load_id in inbox.files if load_id not in refused and load_id not in gone],
                self.claim.plan,
                loads=[load.load_id for load in self.loads if load.load_id not in gone],
                refusals=[self._refusal(load, *refused[load.load_id]) for load in self.loads if load.load_id in refused]
                if bucket == 0
                else (),
                out=Path(scratch) / "out",
                scratch=Path(scratch) / "spill",
                run_id=self.claim.run_id,
                limits=self.writing,
                field_ids=self.claim.curated_ids,
                reject_field_ids=self.claim.rejects_ids,
            )
            files = upload(
                outcome.files,
                s3=self.connect(),
                bucket=self.lake_bucket,
                plan=self.claim.plan,
                run_id=self.claim.run_id,
            )
        yield BucketResult(files=files, loads=outcome.loads, reports=inbox.reports if bucket == 0 else ())

    def _refusal(self, load: ClaimedLoad, rule: str, message: str, detail: str) -> tuple[SourceFile, DataError]:
        error = DataError(message, dataset=self.claim.dataset, rule=rule, object_key=load.key, detail=detail)
        return _source(load, Path()), error


@dataclass(frozen=True, kw_only=True)
class BucketResult:
    """What one bucket came to. All buckets have the same reports; the first returns them."""

    files: tuple[StoredFile, ...]
    loads: tuple[LoadSummary, ...]
    reports: tuple[Report, ...]


def _source(load: ClaimedLoad, path: Path, *, offset: int = 0) -> SourceFile:
    return SourceFile(
        path=path, load_id=load.load_id, key=load.key, version_id=load.version_id, order=load.order, offset=offset
    )
