"""Tell two frozen versions of a set apart: which rows, and what in files, contracts or code made the difference."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.contract.sql import literal, quote
from sluice.errors import ContractError
from sluice.frozen.load import fetch_checked
from sluice.frozen.model import Frozen
from sluice.frozen.rows import opened
from sluice.frozen.store import Store

_SAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One difference between what two versions were made of. `kind`: snapshot, object, contract, definition, code."""

    kind: str
    what: str


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How version `after` differs from `before`. Samples are keys; `columns` counts changed cells by column."""

    before: Frozen
    after: Frozen
    added: int
    removed: int
    changed: int
    columns: Mapping[str, int]
    samples: Mapping[str, Sequence[tuple[object, ...]]]
    causes: Sequence[Cause]


def compare(store: Store, before: Frozen, after: Frozen) -> Difference:
    """Compare two versions of one set row by row. Raises ContractError where their keys differ."""
    if before.name != after.name or before.key != after.key:
        raise ContractError(
            f"{before.uri} and {after.uri} have no common key", file="frozen", remedy="compare versions of one set"
        )
    with tempfile.TemporaryDirectory(prefix="sluice-diff-") as folder, opened(Path(folder)) as connection:
        for alias, frozen in (("a", before), ("b", after)):
            paths = []
            for file in frozen.files:
                paths.append(Path(folder) / f"{alias}-{file.key.rpartition('/')[2]}")
                paths[-1].write_bytes(fetch_checked(store, file))
            listed = ", ".join(literal(str(path)) for path in paths)
            connection.execute(f"CREATE VIEW {alias} AS SELECT * FROM read_parquet([{listed}])")
        both = [
            c.name for c in before.columns if c.name in {d.name for d in after.columns} and c.name not in before.key
        ]
        on = " AND ".join(f"a.{quote(name)} = b.{quote(name)}" for name in before.key)
        unequal = {name: f"a.{quote(name)} IS DISTINCT FROM b.{quote(name)}" for name in both}
        anything = " OR ".join(unequal.values()) or "false"
        first = quote(before.key[0])
        keys = ", ".join(f"coalesce(a.{quote(name)}, b.{quote(name)}) AS {quote(name)}" for name in before.key)
        connection.execute(
            f"CREATE TABLE d AS SELECT {keys}, CASE WHEN a.{first} IS NULL THEN 'added' WHEN b.{first} IS NULL "
            f"THEN 'removed' ELSE 'changed' END AS fate"
            + "".join(f", coalesce({sql}, false) AS {quote('differs_' + name)}" for name, sql in unequal.items())
            + f" FROM a FULL JOIN b ON {on} WHERE a.{first} IS NULL OR b.{first} IS NULL OR {anything}"
        )
        fates = dict(connection.execute("SELECT fate, count(*) FROM d GROUP BY 1").fetchall())
        cells = ", ".join(f"count(*) FILTER (fate = 'changed' AND {quote('differs_' + name)})" for name in both)
        counted = connection.execute(f"SELECT {cells} FROM d").fetchone() if both else ()
        names = ", ".join(map(quote, before.key))
        samples = {
            fate: connection.execute(
                f"SELECT {names} FROM d WHERE fate = $1 ORDER BY ALL LIMIT {_SAMPLES}", [fate]
            ).fetchall()
            for fate in sorted(fates)
        }
    return Difference(
        before=before, after=after, added=fates.get("added", 0), removed=fates.get("removed", 0),
        changed=fates.get("changed", 0), samples=samples, causes=causes(before, after),
        columns={name: int(cells) for name, cells in zip(both, counted or (), strict=True) if cells},
    )  # fmt: skip


def causes(before: Frozen, after: Frozen) -> Sequence[Cause]:
    """Say what the two versions were made of differently, the nearest to the data first."""
    found: list[Cause] = []
    old = {(origin.table, origin.key, origin.version_id): origin for origin in before.origins}
    new = {(origin.table, origin.key, origin.version_id): origin for origin in after.origins}
    keys_before, keys_after = {key[:2] for key in old}, {key[:2] for key in new}
    for table, key in sorted(keys_before | keys_after):
        if (table, key) not in keys_before:
            found.append(Cause(kind="object", what=f"{key} came into {table}"))
        elif (table, key) not in keys_after:
            found.append(Cause(kind="object", what=f"{key} left {table}"))
        elif {k for k in old if k[:2] == (table, key)} != {k for k in new if k[:2] == (table, key)}:
            found.append(Cause(kind="object", what=f"{key} of {table} was overwritten"))
    contracts = [{(origin.table, origin.contract) for origin in frozen.origins} for frozen in (before, after)]
    found += [
        Cause(kind="contract", what=f"{table}: rows under contract {version} came")
        for table, version in sorted(contracts[1] - contracts[0])
    ]
    pins = {pin.table: pin for pin in before.pins}
    for pin in after.pins:
        was = pins.get(pin.table)
        if was is None or (was.uuid, was.snapshot) != (pin.uuid, pin.snapshot):
            found.append(
                Cause(kind="snapshot", what=f"{pin.table}: {was.snapshot if was else 'none'} -> {pin.snapshot}")
            )
        if was is not None and was.definition != pin.definition:
            found.append(Cause(kind="definition", what=f"mart {pin.table} was defined anew"))
    if before.definition_digest != after.definition_digest:
        found.append(Cause(kind="definition", what=f"frozen/{after.name}.sql changed"))
    if before.code != after.code:
        found.append(Cause(kind="code", what=f"{before.code} -> {after.code}"))
    return found
