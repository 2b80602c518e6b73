"""Transform: one group's object versions become Parquet files in the lake, in their final place and not yet visible.

This is the worker in a Lambda. The Glue job has its own way of reading, and ends in the same `upload` and `conclude`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.contract.plan import Plan
from sluice.errors import TransientError
from sluice.kernel.outcome import Limits, Outcome, OutputFile, SourceFile
from sluice.kernel.transform import transform as transform_files
from sluice.lake.objects import VanishedError, fetch_version, put_file
from sluice.locations import data_folder
from sluice.stages.manifest import Claim, ClaimedLoad, Group, GroupResult, StoredFile
from sluice.stages.run_folder import RunFolder
from sluice.stages.salt import SaltOf, no_salt

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_THREADS = 8


def transform(
    folder: RunFolder,
    index: int,
    *,
    s3: S3Client,
    raw_bucket: str,
    limits: Limits,
    scratch: Path,
    timer: Callable[[], float],
    salt_of: SaltOf = no_salt,
) -> GroupResult:
    """Do one group, or return what was made of it before. `timer` counts seconds; `scratch` is an empty folder."""
    if (done := folder.group(index)) is not None:
        return done
    begun = timer()
    claim, group = open_group(folder, index)
    loads = claim.loads_of(group)
    incoming = scratch / "in"
    incoming.mkdir()
    with ThreadPoolExecutor(_THREADS) as pool:
        # Local names are numbers: a key is somebody else's text.
        paths = [incoming / f"{at:06d}" for at in range(len(loads))]
        present = list(pool.map(lambda load, path: _fetch(s3, raw_bucket, load, path), loads, paths))
    sources = [
        SourceFile(path=path, load_id=load.load_id, key=load.key, version_id=load.version_id, order=load.order)
        for load, path, is_there in zip(loads, paths, present, strict=True)
        if is_there
    ]
    vanished = tuple(load.load_id for load, is_there in zip(loads, present, strict=True) if not is_there)
    outcome = Outcome(files=(), loads=())
    if sources:
        outcome = transform_files(
            sources,
            claim.plan,
            out=scratch / "out",
            scratch=scratch / "spill",
            run_id=claim.run_id,
            field_ids=claim.curated_ids,
            reject_field_ids=claim.rejects_ids,
            limits=limits,
            salt=salt_of(claim.plan),
        )
    return store(folder, claim, group, outcome, s3=s3, vanished=vanished, seconds=timer() - begun)


def open_group(folder: RunFolder, index: int) -> tuple[Claim, Group]:
    """Read the claim and find one of its groups."""
    claim = folder.must_claim()
    for group in claim.groups:
        if group.index == index:
            return claim, group
    raise TransientError(f"dataset {folder.dataset}: run {folder.fence} has no group {index}")


def store(
    folder: RunFolder,
    claim: Claim,
    group: Group,
    outcome: Outcome,
    *,
    s3: S3Client,
    vanished: Sequence[str],
    seconds: float,
) -> GroupResult:
    """Upload an outcome's files, then write the group's result; return the one that won."""
    result = GroupResult(
        group=group.index,
        engine=group.engine,
        files=upload(outcome.files, s3=s3, bucket=folder.bucket, plan=claim.plan, run_id=claim.run_id),
        loads=outcome.loads,
        vanished=tuple(vanished),
        seconds=round(seconds, 3),
    )
    return conclude(folder, group, result)


def upload(
    files: Sequence[OutputFile], *, s3: S3Client, bucket: str, plan: Plan, run_id: str
) -> tuple[StoredFile, ...]:
    """Put files into their tables' folders, by content: the same file again changes nothing."""

    def put(file: OutputFile) -> StoredFile:
        table = plan.dataset if file.kind == "data" else plan.rejects_table
        uri = put_file(s3, bucket=bucket, folder=data_folder(table, run_id), path=file.path, suffix=".parquet")
        return StoredFile(uri=uri, kind=file.kind, rows=file.rows, bytes=file.path.stat().st_size)

    with ThreadPoolExecutor(_THREADS) as pool:
        return tuple(pool.map(put, files))


def conclude(folder: RunFolder, group: Group, result: GroupResult) -> GroupResult:
    """Write the result of a group, every load of it accounted for; return the result that won.

    Files of an attempt that lost, or died before the result, are in no result and so in no table.
    """
    accounted = {summary.load_id for summary in result.loads} | set(result.vanished)
    if missing := set(group.loads) - accounted:
        # A load without account would be settled with no rows: fail instead.
        raise TransientError(f"dataset {folder.dataset}: group {group.index} has no account of {len(missing)} loads")
    return folder.write_group(result)


def _fetch(s3: S3Client, bucket: str, load: ClaimedLoad, path: Path) -> bool:
    try:
        fetch_version(s3, bucket=bucket, key=load.key, version_id=load.version_id, path=path)
    except VanishedError:
        return False
    return True
