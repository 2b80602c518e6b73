"""Plans by hand and one kernel call on bytes: what the tests of the kernel share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from sluice.contract.casts import strict_cast
from sluice.contract.plan import PROVENANCE, REJECTS, Column, PartitionField, Plan, Reading, Rule
from sluice.contract.sql import quote
from sluice.kernel.outcome import Limits, LoadSummary, Outcome, SourceFile
from sluice.kernel.transform import transform

LIMITS = Limits(memory_bytes=256 << 20, threads=1)
FIELD_IDS = {"id": 1, "day": 2, "amount": 3, "note": 4} | {name: 100 + n for n, (name, _) in enumerate(PROVENANCE)}
REJECT_IDS = {name: number for number, (name, _) in enumerate(REJECTS, 1)}


def column(name: str, kind: str, *, source: str | None = None, required: bool = False) -> Column:
    cast, expected = strict_cast(quote(source or name), kind)
    return Column(name=name, source=source or name, type=kind, cast=cast, expected=expected, required=required)


def plan(**changes: Any) -> Plan:
    """Things: id (key), day, amount, note."""
    things = Plan(
        dataset="things",
        version="1.2.0",
        mode="append",
        primary_key=("id",),
        columns=(
            column("id", "long"),
            column("day", "date"),
            column("amount", "decimal(8,2)"),
            column("note", "string"),
        ),
        rules=(Rule(name="minimum", column="amount", predicate='"amount" >= 0', expected="at least 0"),),
        reading=Reading(null_texts=("", "NA")),
    )
    return replace(things, **changes)


def by_month(part: str = "day") -> tuple[PartitionField, ...]:
    return (PartitionField(column=part, transform="month", name=f"{part}_month"),)


@dataclass(frozen=True)
class Case:
    """One finished kernel call."""

    outcome: Outcome

    @property
    def load(self) -> LoadSummary:
        (summary,) = self.outcome.loads
        return summary

    def rows(self, columns: str = "id, day, amount, note") -> list[tuple[Any, ...]]:
        return self._read("data", f"SELECT {columns} FROM {{}} ORDER BY _sluice_object, _sluice_row")

    def rejects(self, columns: str = 'row_number, "column", rule') -> list[tuple[Any, ...]]:
        return self._read("rejects", f"SELECT {columns} FROM {{}} ORDER BY object, row_number, ordinal")

    def _read(self, kind: str, query: str) -> list[tuple[Any, ...]]:
        paths = [str(file.path) for file in self.outcome.files if file.kind == kind]
        if not paths:
            return []
        return duckdb.execute(query.format("read_parquet($1, hive_partitioning = false)"), [paths]).fetchall()


def source(path: Path, key: str = "things/a.csv", *, order: str = "1") -> SourceFile:
    return SourceFile(path=path, load_id=f"load of {key}", key=key, version_id="v1", order=order)


def run(folder: Path, content: bytes | str | Mapping[str, bytes | str], plan: Plan, **options: Any) -> Case:
    """Transform one object, or several by key, in `folder`."""
    objects = content if isinstance(content, Mapping) else {"things/a.csv": content}
    (folder / "in").mkdir()
    sources = []
    for number, (key, body) in enumerate(objects.items()):
        path = folder / "in" / str(number)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        sources.append(source(path, key, order=str(number)))
    options = {"limits": LIMITS, "run_id": "things-1", **options}
    return Case(transform(sources, plan, out=folder / "out", scratch=folder / "scratch", **options))
