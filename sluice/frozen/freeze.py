"""Make a frozen version: pin, select by Athena, order, digest, write once, tag, and say so in a manifest.

The manifest is written after the files and before the tags. A freeze that dies before it leaves files that the next
attempt writes over with nothing (their names and bytes are the same); one that dies after it has made a version, and
the next attempt finds it by its inputs and adds the tags.
"""

from __future__ import annotations

import hashlib
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.frozen import pins as pinning
from sluice.frozen.digest import ALGORITHM
from sluice.frozen.model import DataFile, Frozen, Pin, inputs_digest, version_id
from sluice.frozen.rows import Rows, opened
from sluice.frozen.store import PREFIX, Store
from sluice.lake.objects import fetch
from sluice.warehouse import sql
from sluice.warehouse.definition import SetDefinition
from sluice.warehouse.mart import Mart

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who asked for a version, when, and with which code. `moment` is aware and in UTC."""

    by: str
    code: str
    moment: datetime
    as_of: datetime | None = None


def freeze(
    store: Store,
    definition: SetDefinition,
    *,
    marts: Sequence[Mart],
    asked: Asked,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[Frozen, bool]:
    """Freeze a set as it is now, or as it was at `asked.as_of`.

    Args:
        store: The lake.
        definition: The compiled set.
        marts: All marts of the project; a view among them is read through its own SELECT.
        asked: Who asked, and when.
        progress: Takes a sentence about the step under way.

    Returns:
        The version, and True if it is new. The same inputs give the same version, and nothing is written.

    Raises:
        ContractError: A table is not there, or rows break the key, or an entity is missing.
    """
    catalog = store.catalog()
    views = {mart.name: mart for mart in marts if mart.materialized == "view"}
    tables = sql.pinned_tables(definition.query, views)
    progress(f"Pinning {', '.join(tables)}")
    pins = pinning.pin_tables(catalog, store.database, tables, as_of=asked.as_of)
    inputs = inputs_digest(definition=definition.digest, pins=pins, code=asked.code)
    if (known := store.find_inputs(definition.name, inputs)) is not None:
        pinning.keep(catalog, store.database, pins, pinning.tag_name(known.name, known.id))
        return known, False
    with tempfile.TemporaryDirectory(prefix="sluice-freeze-") as scratch:
        progress("Selecting the rows")
        statement = pinned(definition, pins, marts)
        selected, scanned = select(store, definition, statement, Path(scratch))
        progress("Ordering, counting and digesting the rows")
        with opened(Path(scratch)) as connection:
            rows = Rows(connection, selected, definition)
            rows.check()
            count, digest, each = rows.digests()
            version = version_id(inputs=inputs, digest=digest)
            frozen = Frozen(
                name=definition.name,
                id=version,
                inputs=inputs,
                digest=digest,
                algorithm=ALGORITHM,
                rows=count,
                columns=rows.figures(each, count),
                split=rows.sides(),
                files=tuple(_upload(store, rows, store.folder(definition.name, version), count, Path(scratch))),
                pins=pins,
                origins=pinning.origins(catalog, store.database, pins),
                statement=statement,
                definition=definition.to_dict(),
                definition_digest=definition.digest,
                key=definition.query.keys,
                entity=definition.entity,
                label=definition.label,
                time=definition.time,
                code=asked.code,
                created=asked.moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                by=asked.by,
                as_of=asked.as_of.isoformat() if asked.as_of else "",
                scanned_bytes=scanned,
            )
    winner = store.put_manifest(frozen)
    pinning.keep(catalog, store.database, pins, pinning.tag_name(winner.name, winner.id))
    return winner, True


def pinned(definition: SetDefinition, pins: Sequence[Pin], marts: Sequence[Mart]) -> str:
    """Return the SELECT of a set with each table pinned, and each view replaced by its own pinned SELECT."""
    views = {mart.name: mart for mart in marts if mart.materialized == "view"}
    return sql.pin(definition.query, {pin.table: pin.snapshot for pin in pins}, views)


def select(store: Store, definition: SetDefinition, statement: str, scratch: Path) -> tuple[Sequence[Path], int]:
    """Let Athena run a pinned SELECT and bring its files here.

    Its table is forgotten again, files included. Returns the files and the bytes that Athena scanned.
    """
    name = definition.name
    token = uuid.uuid4().hex[:16]  # of an attempt: Athena refuses a place where another one has begun
    table, folder = f"{name}__frozen_{token}", f"{PREFIX}/{name}/building/{token}"
    location = f"s3://{store.bucket}/{folder}"
    catalog = store.catalog()
    try:
        scanned = store.ask(
            sql.ctas(definition.query, statement, database=store.database, table=table, location=location)
        )
        made = catalog.load_table((store.database, table))
        paths = []
        for number, task in enumerate(made.scan().plan_files()):
            paths.append(scratch / f"selected-{number:05d}.parquet")
            fetch(store.s3, task.file.file_path, paths[-1])
        return paths, scanned
    finally:
        _forget(store, catalog, table, folder)


def _forget(store: Store, catalog: GlueCatalog, table: str, folder: str) -> None:
    from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415

    with suppress(NoSuchTableError):
        catalog.drop_table((store.database, table))
    store.sweep(f"{folder}/")


def _upload(store: Store, rows: Rows, folder: str, count: int, scratch: Path) -> Iterator[DataFile]:
    for path, held in rows.files(scratch, count):
        with path.open("rb") as body:
            sha256 = hashlib.file_digest(body, "sha256").digest()
            body.seek(0)
            md5 = hashlib.file_digest(body, lambda: hashlib.md5(usedforsecurity=False)).digest()
        yield store.put_file(path, key=f"{folder}/{path.name}", rows=held, digests=(sha256, md5))
        path.unlink()
