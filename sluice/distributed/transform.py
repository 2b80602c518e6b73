"""One group on Spark, from the claim to the group's result.

First tasks read and pack, second tasks write; the driver adds up. Only what completed tasks return counts, so repeated
and speculative attempts leave no trace but files that stand in no table.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sluice.contract.plan import Plan
from sluice.distributed.cut import cut
from sluice.distributed.packets import refusals, vanished
from sluice.distributed.tasks import BucketResult, Work
from sluice.errors import TransientError
from sluice.kernel.judging.quality import added
from sluice.kernel.outcome import Limits, LoadSummary, RejectCount
from sluice.settings import RuntimeSettings
from sluice.stages.manifest import ClaimedLoad, GroupResult
from sluice.stages.run_folder import RunFolder
from sluice.stages.salt import SaltOf, no_salt
from sluice.stages.transform import conclude, open_group

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from pyspark import SparkContext

_CORES_OF_A_WORKER = 4


@dataclass(frozen=True, kw_only=True)
class PartSizes:
    """How work is cut, in bytes of raw objects."""

    part: int = RuntimeSettings.spark_part_bytes  # one task reads at most about this much of an object that can be cut
    least_part: int = 8 << 20  # and no less, however many cores wait for work
    bucket: int = RuntimeSettings.spark_bucket_bytes  # one task writes about this much


def transform(
    folder: RunFolder,
    index: int,
    *,
    spark: SparkContext,
    connect: Callable[[], S3Client],
    raw_bucket: str,
    limits: Limits,
    sizes: PartSizes,
    timer: Callable[[], float],
    salt_of: SaltOf = no_salt,
) -> GroupResult:
    """Do one group, or return what was made of it before.

    `connect` makes a client in each task; `limits` are those of one task; `timer` counts seconds.
    """
    if (done := folder.group(index)) is not None:
        return done
    begun = timer()
    claim, group = open_group(folder, index)
    loads = claim.loads_of(group)
    total, cores = sum(load.size for load in loads), spark.defaultParallelism
    part_bytes = min(max(total // cores, sizes.least_part), sizes.part)
    parts = cut(loads, claim.plan, spark=spark, connect=connect, bucket=raw_bucket, part_bytes=part_bytes)
    buckets = max(1, math.ceil(total / sizes.bucket))
    idle = max(1, min(_CORES_OF_A_WORKER, cores) // buckets)  # few buckets leave cores to each
    work = Work(
        claim=claim,
        loads=loads,
        parts=len(parts),
        buckets=buckets,
        connect=connect,
        raw_bucket=raw_bucket,
        lake_bucket=folder.bucket,
        reading=limits,
        salt=salt_of(claim.plan),
        writing=replace(limits, threads=limits.threads * idle, memory_bytes=limits.memory_bytes * idle),
    )
    results: list[BucketResult] = (
        spark.parallelize(parts, len(parts))
        .mapPartitions(work.examine)
        .partitionBy(buckets, int)  # the key is the bucket
        .mapPartitionsWithIndex(work.write)
        .collect()
    )
    gone, summaries = accounts(loads, results, claim.plan)
    result = GroupResult(
        group=group.index,
        engine=group.engine,
        files=tuple(file for bucket in results for file in bucket.files),
        loads=summaries,
        vanished=gone,
        seconds=round(timer() - begun, 3),
    )
    return conclude(folder, group, result)


def accounts(
    loads: Sequence[ClaimedLoad], results: Sequence[BucketResult], plan: Plan
) -> tuple[tuple[str, ...], tuple[LoadSummary, ...]]:
    """Return the vanished loads, and the accounts of all others: the sums over the buckets.

    Raises TransientError unless they count exactly the rows that the first tasks have read.
    """
    reports = [report for result in results for report in result.reports]
    refused, gone = refusals(reports, plan), vanished(reports)
    read: Counter[str] = Counter()
    for report in reports:
        read[report.load_id] += 0 if report.load_id in refused else report.rows
    by_load: defaultdict[str, list[LoadSummary]] = defaultdict(list)
    for result in results:
        for summary in result.loads:
            by_load[summary.load_id].append(summary)
    summaries = tuple(_sum(by_load[load.load_id], plan) for load in loads if load.load_id not in gone)
    for summary in summaries:
        if summary.rows_read != read[summary.load_id]:
            raise TransientError(
                f"load {summary.load_id}: {read[summary.load_id]} rows read, {summary.rows_read} accounted for"
            )
    return tuple(load.load_id for load in loads if load.load_id in gone), summaries


def _sum(shares: Sequence[LoadSummary], plan: Plan) -> LoadSummary:
    return LoadSummary(
        load_id=shares[0].load_id,
        rows_read=sum(share.rows_read for share in shares),
        rows_accepted=sum(share.rows_accepted for share in shares),
        rows_rejected=sum(share.rows_rejected for share in shares),
        rows_superseded=sum(share.rows_superseded for share in shares),
        rejects=_add(count for share in shares for count in share.rejects),
        warnings=_add(count for share in shares for count in share.warnings),
        stops=_add(count for share in shares for count in share.stops),
        measures=added(shares, plan),
        refused=next((share.refused for share in shares if share.refused), None),
    )


def _add(counts: Iterable[RejectCount]) -> tuple[RejectCount, ...]:
    rows: Counter[tuple[str | None, str]] = Counter()
    for count in counts:
        rows[count.column, count.rule] += count.rows
    return tuple(RejectCount(column=column, rule=rule, rows=total) for (column, rule), total in rows.items())
