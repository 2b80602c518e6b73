"""`sluice remove`: take a file out of a dataset, wait for its run, and say what became of its rows."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from sluice.cli.exits import CommandError, answering
from sluice.cli.frames import select
from sluice.cli.put import settled
from sluice.cli.screen import AsJson, count_of, emit, show, visible, working
from sluice.cli.target import Target

_COUNT = "SELECT count(*) AS n FROM \"{}\" WHERE _sluice_object = '{}'"
_WHY_ROWS_STAY = (
    "Its rows stay: they go only in an append dataset whose contract says `onDelete: retract` (docs/contracts.md). "
    "To replace them, put a corrected file of the same name."
)


def remove(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    file: Annotated[str, typer.Argument(help="The file's name, or its key as `sluice put` shows it.")],
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait at most.")] = 900,
    as_json: AsJson = False,
) -> None:
    """Delete a file of a dataset and say what became of its rows. Its versions are kept: putting it again undoes it."""
    with answering(as_json=as_json):
        target = Target.from_environment(os.environ)
        key = file if file.startswith(f"{dataset}/") else f"{dataset}/{file}"
        with working(f"Deleting {key}") as progress:
            _must_be_there(target, key)
            before = _rows(target, dataset, key)
            deleted = target.client("s3").delete_object(Bucket=target.raw_bucket, Key=key)
            versions = {key: str(deleted["VersionId"])}
            (load,) = settled(target, dataset, versions, deadline=time.monotonic() + timeout, progress=progress)
            after = _rows(target, dataset, key)
        if as_json:
            emit({"ok": True, "object": key, "state": load.state, "rows_removed": before - after, "rows_left": after})
            return
        left = f" {_WHY_ROWS_STAY}" if after else ""
        show(f"Deleted {visible(key)}: {count_of(before - after, 'row')} left {dataset}, {after:,} remain.{left}")


def _must_be_there(target: Target, key: str) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        target.client("s3").head_object(Bucket=target.raw_bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {"404", "NoSuchKey"}:
            raise
        raise CommandError(
            f"There is no object {key}.", how="Name the file as `sluice put` showed it; nothing was deleted."
        ) from error


def _rows(target: Target, dataset: str, key: str) -> int:
    """Count the rows of an object; none where the dataset has no table yet."""
    glue = target.client("glue")
    try:
        glue.get_table(DatabaseName=target.database, Name=dataset)
    except glue.exceptions.EntityNotFoundException:
        return 0
    literal = key.replace("'", "''")
    return int(select(target, _COUNT.format(dataset, literal))["n"][0])
