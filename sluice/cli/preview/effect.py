"""What a changed contract does to rows, tried on sample files, and what a backfill would cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.cli.check import judge
from sluice.prices import Usage, billed_dpu_seconds, total

if TYPE_CHECKING:
    from sluice.contract.plan import Plan
    from sluice.kernel.outcome import LoadSummary

# Bytes a second of one transform function of 6 GB: 767 MB of lineitem in 12 s on two cores, rows checked and written.
_BYTES_A_SECOND = 60e6
_MEMORY_GB = 6
_GROUP_BYTES = 256 << 20
_LARGE = 512 << 20  # above it an object goes to Glue
_GLUE_DPU, _GLUE_START = 4, 60.0
_STEPS, _STEPS_A_GROUP = 7, 2


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of the sample files under one contract. `rejected` is by (column, rule), `refused` counts whole files."""

    read: int
    accepted: int
    rejected: Mapping[tuple[str, str], int]
    refused: int


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The same files under the contract of before and of after."""

    files: int
    old: Rows
    new: Rows

    def by_rule(self) -> Sequence[tuple[str, str, int, int]]:
        """(column, rule, rejected before, rejected after) where they differ."""
        places = sorted({*self.old.rejected, *self.new.rejected})
        pairs = [(*place, self.old.rejected.get(place, 0), self.new.rejected.get(place, 0)) for place in places]
        return [pair for pair in pairs if pair[2] != pair[3]]


def effect(old: Plan, new: Plan, files: Sequence[Path]) -> Effect:
    """Run both contracts over the files."""
    return Effect(files=len(files), old=_rows(judge(old, files).loads), new=_rows(judge(new, files).loads))


def _rows(summaries: Sequence[LoadSummary]) -> Rows:
    rejected: Counter[tuple[str, str]] = Counter()
    for summary in summaries:
        for count in summary.rejects:
            rejected[count.column or "", count.rule] += count.rows
    return Rows(
        read=sum(summary.rows_read for summary in summaries),
        accepted=sum(summary.rows_accepted for summary in summaries),
        rejected=rejected,
        refused=sum(summary.refused is not None for summary in summaries),
    )


def backfill_dollars(sizes: Sequence[int]) -> float:
    """Estimate what loading objects of these sizes (bytes) once more costs, in one run, marts left aside."""
    small = [size for size in sizes if size <= _LARGE]
    large = [size for size in sizes if size > _LARGE]
    groups = math.ceil(sum(small) / _GROUP_BYTES) if small else 0
    seconds = sum(small) / _BYTES_A_SECOND + 2.0 * groups
    usage = Usage(
        requests=groups + 3,
        gb_seconds=seconds * _MEMORY_GB + seconds / 2,
        transitions=_STEPS + _STEPS_A_GROUP * (groups + len(large)),
        dpu_seconds=sum(billed_dpu_seconds(_GLUE_START + size / _BYTES_A_SECOND, _GLUE_DPU) for size in large),
        calls={
            "s3.GetObject": len(sizes) + 10,
            "s3.PutObject": 2 * (groups + len(large)) + 20,
            "dynamodb.TransactWriteItems": 2 * len(sizes),
        },
    )
    return total(usage) if sizes else 0.0
