"""Read a frozen version into memory, its bytes checked on the way. The door for notebooks and training scripts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sluice.errors import DataError
from sluice.frozen.model import DataFile, Frozen
from sluice.frozen.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def open_store(environ: dict[str, str] | None = None) -> Store:
    """Open the lake that the environment names: SLUICE_LAKE_BUCKET, SLUICE_DATABASE, SLUICE_WORKGROUP.

    Raises KeyError with the variable that is not set.
    """
    import boto3  # noqa: PLC0415  (a third of a second)

    from sluice.frozen.athena import asking  # noqa: PLC0415

    environ = environ if environ is not None else dict(os.environ)
    session = boto3.Session()
    return store_of(
        session,
        bucket=environ["SLUICE_LAKE_BUCKET"],
        database=environ["SLUICE_DATABASE"],
        ask=asking(session, database=environ["SLUICE_DATABASE"], workgroup=environ.get("SLUICE_WORKGROUP", "primary")),
        endpoint=environ.get("AWS_ENDPOINT_URL"),
    )


def store_of(session: Any, *, bucket: str, database: str, ask: Any, endpoint: str | None = None) -> Store:
    """Open a lake with a session of the SDK. `endpoint` is that of the offline AWS."""

    def catalog() -> Any:
        from sluice.lake.catalog import connect  # noqa: PLC0415  (a second)

        return connect(session, endpoint=endpoint)

    return Store(s3=session.client("s3"), bucket=bucket, database=database, catalog=catalog, ask=ask)


def read(reference: str, *, store: Store | None = None) -> Frozen:
    """Return the manifest of `name@latest`, `name@<id>` or `sluice://name@<id>`."""
    return (store or open_store()).resolve(reference)


def load(reference: str, *, store: Store | None = None, side: str | None = None) -> pd.DataFrame:
    """Return the rows of a frozen version as a pandas frame with Arrow's types turned into pandas' own.

    Args:
        reference: `name@latest`, `name@<id>` or `sluice://name@<id>`.
        store: The lake; without it, the one that the environment names.
        side: Only the rows of this side of the split, for instance `train`.

    Raises:
        DataError: Bytes are not those that were frozen.
        ContractError: There is no such version.
    """
    frame: pd.DataFrame = arrow(reference, store=store, side=side).to_pandas()
    return frame


def arrow(reference: str, *, store: Store | None = None, side: str | None = None) -> pa.Table:
    """Return the rows of a frozen version as an Arrow table. Arguments and errors are those of `load`."""
    import pyarrow as pa  # noqa: PLC0415

    opened = store or open_store()
    return pa.concat_tables(list(_tables(opened, opened.resolve(reference), side)))


def batches(
    reference: str, *, rows: int = 65_536, store: Store | None = None, side: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a frozen version in batches of at most `rows`, for a training loop.

    One file (at most two million rows) is in memory at a time; its bytes are checked before its first batch.
    """
    opened = store or open_store()
    for table in _tables(opened, opened.resolve(reference), side):
        yield from table.to_batches(max_chunksize=rows)


def fetch_checked(store: Store, file: DataFile) -> bytes:
    """Return the bytes of one file at its pinned object version. Raises DataError where they are not those frozen."""
    pinned = {"VersionId": file.version_id} if file.version_id else {}
    body = store.s3.get_object(Bucket=store.bucket, Key=file.key, **pinned)["Body"].read()  # type: ignore[arg-type]
    if hashlib.sha256(body).hexdigest() != file.sha256:
        raise DataError("the bytes are not those that were frozen", dataset=file.key, rule="frozen.bytes")
    return body


def _tables(store: Store, frozen: Frozen, side: str | None) -> Iterator[pa.Table]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    for file in frozen.files:
        table = pq.read_table(pa.BufferReader(fetch_checked(store, file)))
        yield table.filter(pc.field("split") == side) if side is not None else table
