"""Copy-on-write: files of the lake go through the kernel and come back as new files of the lake.

`sluice.lake.edits` plans what to rewrite, `sluice.kernel.layout.merge` touches the rows; this module moves the files.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sluice.kernel.layout.merge import merge_files, rejects_without_objects, without_objects
from sluice.kernel.outcome import Limits, MergeOutcome
from sluice.lake.edits import Rewritten
from sluice.lake.objects import fetch, put_file
from sluice.locations import data_folder
from sluice.stages.manifest import Claim
from sluice.stages.publish import Rewriting

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_THREADS = 8


def rewriting(claim: Claim, *, s3: S3Client, bucket: str, scratch: Path, limits: Limits) -> Rewriting:
    """Wire the kernel to the lake for one run. Each call works in a folder of its own below `scratch`."""
    plan = claim.plan

    def drop_rows(files: Sequence[str], column: str, values: Sequence[str]) -> Rewritten:
        by: Literal["_sluice_load", "_sluice_object"] = "_sluice_load" if column == "_sluice_load" else "_sluice_object"
        with _fetched(s3, files, scratch) as (paths, out):
            done = without_objects(
                current=list(paths),
                objects=values,
                by=by,
                plan=plan,
                out=out,
                field_ids=claim.curated_ids,
                limits=limits,
            )
            return _stored(done, paths, s3=s3, bucket=bucket, folder=data_folder(plan.dataset, claim.run_id))

    def drop_rejects(files: Sequence[str], column: str, values: Sequence[str]) -> Rewritten:
        by: Literal["load_id", "object"] = "load_id" if column == "load_id" else "object"
        with _fetched(s3, files, scratch) as (paths, out):
            done = rejects_without_objects(
                current=list(paths), objects=values, by=by, out=out, field_ids=claim.rejects_ids, limits=limits
            )
            return _stored(done, paths, s3=s3, bucket=bucket, folder=data_folder(plan.rejects_table, claim.run_id))

    def merge(current: Sequence[str], incoming: Sequence[str]) -> Rewritten:
        with _fetched(s3, [*current, *incoming], scratch) as (paths, out):
            here = list(paths)
            done = merge_files(
                current=here[: len(current)],
                incoming=here[len(current) :],
                plan=plan,
                out=out,
                field_ids=claim.curated_ids,
                limits=limits,
            )
            return _stored(done, paths, s3=s3, bucket=bucket, folder=data_folder(plan.dataset, claim.run_id))

    return Rewriting(drop_rows=drop_rows, drop_rejects=drop_rejects, merge=merge)


@contextmanager
def _fetched(s3: S3Client, files: Sequence[str], scratch: Path) -> Iterator[tuple[Mapping[Path, str], Path]]:
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        incoming = Path(name) / "in"
        incoming.mkdir()
        paths = {incoming / f"{at:06d}.parquet": uri for at, uri in enumerate(files)}
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda path: fetch(s3, paths[path], path), paths))
        yield paths, Path(name) / "out"


def _stored(done: MergeOutcome, paths: Mapping[Path, str], *, s3: S3Client, bucket: str, folder: str) -> Rewritten:
    def address(path: Path) -> str:
        return paths.get(path) or put_file(s3, bucket=bucket, folder=folder, path=path, suffix=".parquet")

    with ThreadPoolExecutor(_THREADS) as pool:
        added = tuple(pool.map(address, (file.path for file in done.files)))
    return Rewritten(add=added, remove=frozenset(paths[path] for path in done.replaced))
