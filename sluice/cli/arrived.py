"""Which rejected records nobody needs any more: in `merge`, those whose key has arrived since, in a newer row.

The rejected records are read once more for their keys, and the table is asked for rows of these keys. A record whose
key or sequence cannot be read is taken for needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.cli.frames import select
from sluice.cli.target import Target

if TYPE_CHECKING:
    from sluice.contract.plan import Plan

Key = tuple[Any, ...]
_MOST_KEYS = 500  # in one statement


def arrived_since(
    target: Target, plan: Plan, records: Path, rows: Sequence[int], *, order: str, scratch: Path
) -> frozenset[int]:
    """Return those of the record numbers `rows` whose keys have a newer row in the table.

    Args:
        target: where the table is.
        plan: the contract; only with mode `merge` and keys that are stored as they are is anything found.
        records: a file of these records, in the order of `rows`.
        rows: their record numbers in the object version that they were rejected from.
        order: the order of that object version.
        scratch: an empty folder.
    """
    stored = {column.name: column for column in plan.columns}
    if plan.mode != "merge" or plan.protects or not all(name in stored for name in plan.primary_key):
        return frozenset()
    wanted: dict[Key, list[tuple[int, Any]]] = {}
    for row, (key, sequence) in zip(rows, _keys(plan, records, scratch), strict=True):
        if None not in key:
            wanted.setdefault(key, []).append((row, sequence))
    found: set[int] = set()
    for key, sequence, row_order, row_number in _rows(target, plan, list(wanted)):
        for row, own in wanted.get(key, ()):
            theirs, ours = (row_order, row_number), (order, row)
            if plan.sequence_by and own is not None and sequence is not None and sequence != own:
                is_newer = sequence > own
            else:
                is_newer = theirs > ours
            found |= {row} if is_newer else set()
    return frozenset(found)


def _keys(plan: Plan, records: Path, scratch: Path) -> list[tuple[Key, Any]]:
    """Cast the keys and the sequence of a file's records, in their order; what cannot be read is None."""
    from sluice.contract.sql import quote  # noqa: PLC0415
    from sluice.kernel.outcome import Limits, SourceFile  # noqa: PLC0415  (DuckDB)
    from sluice.kernel.session import session  # noqa: PLC0415
    from sluice.kernel.transform import create_examined, examine  # noqa: PLC0415

    scratch.mkdir(parents=True, exist_ok=True)
    source = SourceFile(path=records, load_id="arrived", key=f"{plan.dataset}/{records.name}", version_id="", order="")
    with session(limits=Limits(), scratch=scratch / "spill", directories=[records.parent]) as connection:
        create_examined(connection, plan)
        examine(connection, source, plan, scratch=scratch / "read", run_id="", limits=Limits())
        columns = ", ".join(map(quote, (*plan.primary_key, plan.sequence_by or plan.primary_key[0])))
        found = connection.execute(f"SELECT {columns} FROM examined ORDER BY _sluice_row").fetchall()
    return [(tuple(row[:-1]), row[-1]) for row in found]


def _rows(target: Target, plan: Plan, keys: Sequence[Key]) -> Iterator[tuple[Key, Any, str, int]]:
    """Read the table's rows of these keys: key, sequence, order, record number."""
    named = [f'"{name}"' for name in plan.primary_key]
    sequence = f'"{plan.sequence_by}"' if plan.sequence_by else "NULL"
    for start in range(0, len(keys), _MOST_KEYS):
        part = keys[start : start + _MOST_KEYS]
        chosen = _condition(named, part)
        statement = f'SELECT {", ".join(named)}, "_sluice_order", "_sluice_row"'
        statement += f', {sequence} AS "_sluice_sequence"' if plan.sequence_by else ""
        frame = select(target, f'{statement} FROM "{plan.dataset}" WHERE {chosen}')
        for row in frame.itertuples(index=False, name=None):
            values = [_plain(value) for value in row]
            key, rest = tuple(values[: len(named)]), values[len(named) :]
            yield key, rest[2] if plan.sequence_by else None, str(rest[0]), int(rest[1])


def _condition(named: Sequence[str], keys: Collection[Key]) -> str:
    if len(named) == 1:
        return f"{named[0]} IN ({', '.join(_literal(key[0]) for key in keys)})"
    return " OR ".join(
        f"({' AND '.join(f'{name} = {_literal(value)}' for name, value in zip(named, key, strict=True))})"
        for key in keys
    )


def _literal(value: Any) -> str:
    """Write a value in Athena's SQL."""
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"DECIMAL '{value}'"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ', timespec='microseconds')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    quoted = str(value).replace("'", "''")
    return f"'{quoted}'"


def _plain(value: Any) -> Any:
    """Return a cell of a frame as the kernel gives it; a missing one is None."""
    import pandas as pd  # noqa: PLC0415

    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):  # noqa: PLR0124  (NaN)
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime().replace(tzinfo=None)
    return value.item() if hasattr(value, "item") else value


def left_over(rules: Sequence[Mapping[str, Any]], without: Collection[int]) -> Sequence[Mapping[str, Any]]:
    """Leave out the broken rules of these records."""
    return [rule for rule in rules if int(rule["row_number"]) not in without]
