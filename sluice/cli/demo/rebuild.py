"""A dataset's curated rows from scratch: raw bucket and contract, the kernel, nothing that a run left behind."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.kernel.outcome import SourceFile
from sluice.kernel.transform import transform
from sluice.lake.versions import list_prefix
from sluice.ledger.model import load_id

if TYPE_CHECKING:
    from sluice.contract.plan import Plan


def rebuild(plan: Plan, *, s3: Any, raw_bucket: str, scratch: Path) -> Sequence[Path]:
    """Write the rows that the table must hold as Parquet files: the newest version of each object, and no other.

    That is the law of `append`. Tables of the other modes hold the same while they have one object, as in the demo.
    """
    incoming = scratch / "in"
    incoming.mkdir(parents=True)
    sources = []
    for number, history in enumerate(list_prefix(s3, bucket=raw_bucket, prefix=f"{plan.dataset}/")):
        version = history.newest
        if version is None:
            continue
        path = incoming / str(number)
        with path.open("wb") as file:
            body = s3.get_object(Bucket=raw_bucket, Key=version.key, VersionId=version.version_id)["Body"]
            shutil.copyfileobj(body, file)
        sources.append(
            SourceFile(
                path=path,
                load_id=load_id(raw_bucket, version.key, version.version_id),
                key=version.key,
                version_id=version.version_id,
                order=version.order,
            )
        )
    outcome = transform(sources, plan, out=scratch / "out", scratch=scratch / "spill", run_id="rebuild")
    return [file.path for file in outcome.files if file.kind == "data"]
