"""The folder of one run in the lake bucket. Each document is written once: the first writer wins, all read the same.

This makes the steps repeatable: a worker that comes late finds the document and takes it for its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sluice.errors import TransientError
from sluice.lake.objects import get_json, list_json, put_json, put_json_once
from sluice.locations import RUNS, run_prefix
from sluice.prices import Usage
from sluice.stages.manifest import Claim, Decision, GroupResult, Publication
from sluice.state import opened, stamped

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class RunFolder:
    """`runs/<dataset>/<fence>/` with claim, group results, decision and publication."""

    def __init__(self, s3: S3Client, *, bucket: str, dataset: str, fence: int) -> None:
        self.s3, self.bucket, self.dataset, self.fence = s3, bucket, dataset, fence
        self.prefix = run_prefix(dataset, fence)

    def claim(self) -> Claim | None:
        """Read the claim; None before the run has claimed."""
        data = self._get("claim.json")
        return None if data is None else Claim.from_json(data)

    def must_claim(self) -> Claim:
        """Read the claim of a run that has one."""
        if (claim := self.claim()) is None:
            raise TransientError(f"dataset {self.dataset}: run {self.fence} has not claimed")
        return claim

    def write_claim(self, claim: Claim) -> Claim:
        """Write the claim, and return the one that won."""
        return Claim.from_json(self._put("claim.json", claim.to_json()))

    def group(self, index: int) -> GroupResult | None:
        """Read the result of a group; None if it has none."""
        data = self._get(f"group-{index:04d}.json")
        return None if data is None else GroupResult.from_json(data)

    def write_group(self, result: GroupResult) -> GroupResult:
        """Write the result of a group, and return the one that won."""
        return GroupResult.from_json(self._put(f"group-{result.group:04d}.json", result.to_json()))

    def failure(self, index: int) -> str | None:
        """Read why a group failed last; None if nobody could say."""
        data = get_json(self.s3, bucket=self.bucket, key=f"{self.prefix}/failure-{index:04d}.json")
        return None if data is None else str(data["error"])

    def write_failure(self, index: int, error: str) -> None:
        """Note why a group failed. A repetition that fails says it anew."""
        put_json(self.s3, bucket=self.bucket, key=f"{self.prefix}/failure-{index:04d}.json", value={"error": error})

    def decision(self) -> Decision | None:
        """Read the decision; None before publishing has begun."""
        data = self._get("decision.json")
        return None if data is None else Decision.from_json(data)

    def write_decision(self, decision: Decision) -> Decision:
        """Write the decision, and return the one that won."""
        return Decision.from_json(self._put("decision.json", decision.to_json()))

    def publication(self) -> Publication | None:
        """Read the publication; None before publishing has ended."""
        data = self._get("published.json")
        return None if data is None else Publication.from_json(data)

    def write_publication(self, publication: Publication) -> Publication:
        """Write the publication, and return the one that won."""
        return Publication.from_json(self._put("published.json", publication.to_json()))

    def write_spent(self, name: str, usage: Usage) -> None:
        """Note what one attempt at one step has consumed."""
        put_json(self.s3, bucket=self.bucket, key=f"{self.prefix}/spent/{name}.json", value=asdict(usage))

    def spent(self) -> Usage:
        """Add up what all attempts at all steps have consumed so far."""
        noted = list_json(self.s3, bucket=self.bucket, prefix=f"{self.prefix}/spent/")
        return sum((Usage(**data) for data in noted), Usage())

    def _get(self, name: str) -> dict[str, Any] | None:
        """Read a document; None if it is not there. Raises NewerStateError."""
        key = f"{self.prefix}/{name}"
        data = get_json(self.s3, bucket=self.bucket, key=key)
        return None if data is None else opened("run", data, what=key)

    def _put(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        key = f"{self.prefix}/{name}"
        stored = put_json_once(self.s3, bucket=self.bucket, key=key, value=stamped("run", value))
        return opened("run", stored, what=key)


def newest_fence(s3: S3Client, *, bucket: str, dataset: str, above: int) -> int:
    """Return the largest fence above `above` of which there is a folder; 0 if there is none."""
    prefix = f"{RUNS}{dataset}/"
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket,
        Prefix=prefix,
        StartAfter=f"{prefix}{above:08d}0",  # after the folder: its slash sorts before
    )
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return max((int(key.removeprefix(prefix).partition("/")[0]) for key in keys), default=0)
