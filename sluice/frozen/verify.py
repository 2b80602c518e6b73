"""Prove a frozen version again: its bytes, its rows, and its rows made anew from snapshots or from raw objects."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.contract.plan import Plan
from sluice.contract.sql import literal
from sluice.errors import DataError, SluiceError
from sluice.frozen.digest import digests_of
from sluice.frozen.freeze import select
from sluice.frozen.load import fetch_checked
from sluice.frozen.model import Frozen, Origin
from sluice.frozen.rows import Rows, opened
from sluice.frozen.store import Store
from sluice.kernel.outcome import SourceFile
from sluice.kernel.transform import transform
from sluice.lake.objects import VanishedError, fetch_version, get_json
from sluice.ledger.model import load_id
from sluice.locations import run_prefix
from sluice.warehouse.definition import SetDefinition

if TYPE_CHECKING:
    import duckdb

_RUN = re.compile(r"(?P<dataset>.+)-(?P<fence>\d+)(?:-.*)?")

Engine = Callable[[SetDefinition, Mapping[str, Sequence[Path]], Path], Sequence[Path]]


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One statement about a version and whether it holds. `detail` says what was compared, or why it failed."""

    name: str
    holds: bool
    detail: str


def verify_files(store: Store, frozen: Frozen) -> Sequence[Proof]:
    """Prove that the files are those that were frozen, and that their rows have the digest of the manifest."""
    definition = SetDefinition.from_dict(frozen.definition)
    with _scratch() as (scratch, connection):
        try:
            paths = list(_download(store, frozen, scratch))
        except (DataError, store.s3.exceptions.ClientError) as error:
            return [Proof(name="bytes", holds=False, detail=str(error))]
        found = [Proof(name="bytes", holds=True, detail=f"{len(paths)} files, {frozen.bytes:,} bytes, SHA-256 equal")]
        files = ", ".join(literal(str(path)) for path in paths)
        columns = [(column.name, column.type) for column in frozen.columns]
        count, digest, _ = digests_of(connection, f"read_parquet([{files}], hive_partitioning = false)", columns)
        return [*found, _compared("rows", frozen, count, digest, definition)]


def verify_snapshots(store: Store, frozen: Frozen) -> Proof:
    """Prove that the pinned snapshots give the same rows again, by Athena."""
    definition = SetDefinition.from_dict(frozen.definition)
    with _scratch() as (scratch, connection):
        try:
            selected, _ = select(store, definition, frozen.statement, scratch)
        except SluiceError as error:
            return Proof(name="snapshots", holds=False, detail=str(error))
        count, digest, _ = Rows(connection, selected, definition).digests()
    return _compared("snapshots", frozen, count, digest, definition)


def verify_raw(store: Store, frozen: Frozen, *, raw_bucket: str, engine: Engine) -> Proof:
    """Prove that raw object versions and contracts alone give the same rows: the kernel, then the SELECT.

    `engine` runs a set's SELECT over Parquet files by table, in Athena's dialect, and returns the files of the result.
    The proof covers sets over `append` tables and single-object tables; for others it says that it cannot tell.
    """
    definition = SetDefinition.from_dict(frozen.definition)
    marts = sorted({pin.table for pin in frozen.pins if pin.definition})
    if marts:
        return Proof(name="raw", holds=False, detail=f"cannot tell: {', '.join(marts)} are marts, not curated tables")
    with _scratch() as (scratch, connection):
        try:
            tables = {
                pin.table: _rebuilt(
                    store, [origin for origin in frozen.origins if origin.table == pin.table], raw_bucket,
                    scratch / pin.table,
                )
                for pin in frozen.pins
            }  # fmt: skip
        except (VanishedError, DataError) as error:
            return Proof(name="raw", holds=False, detail=f"an object version is gone or unreadable: {error}")
        selected = engine(definition, tables, scratch)
        count, digest, _ = Rows(connection, selected, definition).digests()
    return _compared("raw", frozen, count, digest, definition)


def _compared(name: str, frozen: Frozen, count: int, digest: str, definition: SetDefinition) -> Proof:
    holds = digest == frozen.digest and definition.digest == frozen.definition_digest
    said = f"{count:,} rows, digest {digest[:12]}"
    return Proof(name=name, holds=holds, detail=said if holds else f"{said}; frozen were {frozen.rows:,} rows, "
                 f"digest {frozen.digest[:12]}")  # fmt: skip


@contextmanager
def _scratch() -> Iterator[tuple[Path, duckdb.DuckDBPyConnection]]:
    with tempfile.TemporaryDirectory(prefix="sluice-verify-") as folder, opened(Path(folder)) as connection:
        yield Path(folder), connection


def _download(store: Store, frozen: Frozen, scratch: Path) -> Iterator[Path]:
    for file in frozen.files:
        path = scratch / file.key.rpartition("/")[2]
        path.write_bytes(fetch_checked(store, file))
        yield path


def _rebuilt(store: Store, origins: Sequence[Origin], raw_bucket: str, scratch: Path) -> Sequence[Path]:
    """Run the kernel over the object versions of one table, each under the contract that it was loaded under."""
    made: list[Path] = []
    for number, version in enumerate(sorted({origin.contract for origin in origins})):
        of_version = [origin for origin in origins if origin.contract == version]
        folder = scratch / str(number)
        (folder / "in").mkdir(parents=True)
        sources = []
        for at, origin in enumerate(of_version):
            path = folder / "in" / str(at)
            fetch_version(store.s3, bucket=raw_bucket, key=origin.key, version_id=origin.version_id, path=path)
            identity = load_id(raw_bucket, origin.key, origin.version_id)
            sources.append(
                SourceFile(path=path, load_id=identity, key=origin.key, version_id=origin.version_id, order="")
            )
        outcome = transform(
            sources, _plan(store, of_version[0]), out=folder / "out", scratch=folder / "spill", run_id="verify"
        )
        made += [file.path for file in outcome.files if file.kind == "data"]
    return made


def _plan(store: Store, origin: Origin) -> Plan:
    """Read the compiled contract that an object version was loaded under, from the claim of its run."""
    match = _RUN.fullmatch(origin.run)
    fence = int(match["fence"]) if match else 0
    claim = get_json(store.s3, bucket=store.bucket, key=f"{run_prefix(origin.table, fence)}/claim.json")
    if claim is None:
        raise VanishedError(f"contract {origin.contract} of {origin.table}: the claim of {origin.run} is gone")
    return Plan.from_dict(claim["plan"])
