"""Which snapshots a frozen version reads, which object versions stand behind them, and the tags that keep them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sluice.errors import ContractError
from sluice.frozen.model import Origin, Pin
from sluice.lake.catalog import is_transient
from sluice.lake.evolve import CONTRACT
from sluice.lake.marks import FENCE
from sluice.lake.swap import DEFINITION, SOURCES

if TYPE_CHECKING:
    from pyiceberg.catalog.glue import GlueCatalog
    from pyiceberg.table import Table

_ORIGIN = ("_sluice_object", "_sluice_version", "_sluice_contract", "_sluice_run")
_ATTEMPTS = 5


def pin_tables(
    catalog: GlueCatalog, database: str, tables: Sequence[str], *, as_of: datetime | None = None
) -> tuple[Pin, ...]:
    """Pin each table at its newest snapshot, or at the one that was the newest at `as_of`.

    Raises ContractError where a table is not there, or held nothing yet.
    """
    return tuple(_pin(catalog, database, name, as_of=as_of) for name in tables)


def origins(catalog: GlueCatalog, database: str, pins: Sequence[Pin]) -> tuple[Origin, ...]:
    """List the object versions that have rows in the pinned tables and in those below them, with their rows.

    Memory grows with the number of object versions, not with rows: batches are counted as they are read.
    """
    found: dict[tuple[str, ...], tuple[int, str]] = {}
    for pin in {(pin.table, pin.snapshot): pin for top in pins for pin in top.flat()}.values():
        table = catalog.load_table((database, pin.table))
        if not set(_ORIGIN) <= set(table.schema().column_names):
            continue
        for origin, rows in _read_origins(table, pin):
            *identity, run = origin
            before, first = found.get(tuple(identity), (0, run))
            found[tuple(identity)] = (before + rows, min(first, run))
    return tuple(
        Origin(table=table, key=key, version_id=version, contract=contract, run=run, rows=rows)
        for (table, key, version, contract), (rows, run) in sorted(found.items())
    )


def tag_name(name: str, version: str) -> str:
    """Return the Iceberg tag that keeps the snapshots of a frozen version."""
    return f"sluice-frozen-{name}-{version}"


def keep(catalog: GlueCatalog, database: str, pins: Sequence[Pin], tag: str) -> None:
    """Tag the pinned snapshots, those of tables below marts too, so that no expiry forgets them.

    A snapshot that is gone already is passed over: the files of the frozen version do not need it.
    """
    for pin in _each(pins):
        for _ in range(_ATTEMPTS):
            table = catalog.load_table((database, pin.table))
            if tag in table.metadata.refs or table.snapshot_by_id(pin.snapshot) is None:
                break
            try:
                table.manage_snapshots().create_tag(snapshot_id=pin.snapshot, tag_name=tag).commit()
            except Exception as error:
                if not is_transient(error):
                    raise
                continue
            break


def release(catalog: GlueCatalog, database: str, pins: Sequence[Pin], tag: str) -> None:
    """Remove the tags of a frozen version."""
    for pin in _each(pins):
        table = catalog.load_table((database, pin.table))
        if tag in table.metadata.refs:
            table.manage_snapshots().remove_tag(tag).commit()


def _each(pins: Sequence[Pin]) -> Sequence[Pin]:
    return list({pin.table: pin for top in pins for pin in top.flat()}.values())


def _pin(catalog: GlueCatalog, database: str, name: str, *, as_of: datetime | None, snapshot: int | None = None) -> Pin:
    from pyiceberg.exceptions import NoSuchTableError  # noqa: PLC0415  (a second)

    def missing(message: str) -> ContractError:
        return ContractError(message, file="frozen", place=name, remedy="upload files, or refresh the mart, first")

    try:
        table = catalog.load_table((database, name))
    except NoSuchTableError as error:
        raise missing(f"table {name} is not there") from error
    chosen = snapshot if snapshot is not None else _snapshot(table, as_of)
    found = table.snapshot_by_id(chosen) if chosen is not None else None
    if found is None:
        raise missing(f"table {name} held nothing" + (f" at {as_of.isoformat()}" if as_of else " yet"))
    current = table.current_snapshot()
    is_newest = current is not None and current.snapshot_id == found.snapshot_id
    # A table tells in its properties what its newest snapshot was made of, and nothing of older ones.
    sources = json.loads(table.properties.get(SOURCES, "{}")) if is_newest else {}
    return Pin(
        table=name,
        uuid=str(table.metadata.table_uuid),
        snapshot=found.snapshot_id,
        committed=datetime.fromtimestamp(found.timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        contract=table.properties.get(CONTRACT, "") if is_newest else "",
        definition=table.properties.get(DEFINITION, "") if is_newest else "",
        fence=int(table.properties.get(FENCE, 0)) if is_newest else 0,
        reads=tuple(_below(catalog, database, sources)),
    )


def _below(catalog: GlueCatalog, database: str, sources: dict[str, dict[str, int]]) -> Iterator[Pin]:
    for name, source in sorted(sources.items()):
        table = catalog.load_table((database, name))
        if table.snapshot_by_id(int(source["snapshot"])) is not None:
            yield _pin(catalog, database, name, as_of=None, snapshot=int(source["snapshot"]))


def _snapshot(table: Table, as_of: datetime | None) -> int | None:
    """Find the snapshot of `main` at a time by its log: snapshots of other branches do not count."""
    if as_of is None:
        current = table.current_snapshot()
        return current.snapshot_id if current else None
    limit = as_of.timestamp() * 1000
    before = [entry.snapshot_id for entry in table.history() if entry.timestamp_ms <= limit]
    return before[-1] if before else None


def _read_origins(table: Table, pin: Pin) -> Iterator[tuple[tuple[str, ...], int]]:
    import pyarrow as pa  # noqa: PLC0415  (a third of a second)

    scan = table.scan(snapshot_id=pin.snapshot, selected_fields=_ORIGIN)
    for batch in scan.to_arrow_batch_reader():
        counted = pa.Table.from_batches([batch]).group_by(list(_ORIGIN)).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            yield (pin.table, *(row[name] for name in _ORIGIN)), row["count_all"]
