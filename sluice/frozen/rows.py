"""The selected rows of one freeze in DuckDB: their key, their split, their digest, their files and their figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.contract.sql import literal, quote
from sluice.errors import ContractError
from sluice.frozen.digest import digests_of, text_of
from sluice.frozen.model import ColumnFigures
from sluice.warehouse.definition import SPLIT_COLUMN, SetDefinition, Split

if TYPE_CHECKING:
    import duckdb

ROWS_PER_FILE = 2_000_000
EXACT_DISTINCT_ROWS = 1_000_000  # above it, distinct values are not counted: it would cost more than the rest
_BUCKETS = 10_000  # a split's share is exact to a hundredth of a percent
_VIEW = "frozen_rows"


class Rows:
    """The rows of Parquet files, with the side of each where the set is split. Nothing is held in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, files: Sequence[Path], definition: SetDefinition) -> None:
        self._connection, self._definition = connection, definition
        self.columns = definition.query.columns
        names = [quote(name) for name, _ in self.columns]
        source = f"read_parquet([{', '.join(literal(str(path)) for path in files)}], hive_partitioning = false)"
        if not files:
            nothing = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in self.columns)
            source = f"(SELECT {nothing} WHERE false)"
        if definition.split and definition.entity:
            text = text_of(definition.entity, dict(self.columns)[definition.entity])
            names.append(f"{side_of(text, definition.split)} AS {SPLIT_COLUMN}")
            self.columns = (*self.columns, (SPLIT_COLUMN, "varchar"))
        connection.execute(f"CREATE OR REPLACE VIEW {_VIEW} AS SELECT {', '.join(names)} FROM {source}")

    def check(self) -> None:
        """Raise ContractError where a key or an entity is missing, or a key stands in several rows."""
        definition = self._definition
        entity = (definition.entity,) if definition.split and definition.entity else ()
        for name in (*definition.query.keys, *entity):
            if missing := self._number(f"SELECT count(*) FROM {_VIEW} WHERE {quote(name)} IS NULL"):
                raise self._fail(f"{missing} rows have no {name}", f"leave them out: WHERE {name} IS NOT NULL")
        keys = f"SELECT 1 FROM {_VIEW} GROUP BY {self._key} HAVING count(*) > 1"
        if repeated := self._number(f"SELECT count(*) FROM ({keys})"):
            raise self._fail(f"{repeated} keys ({self._key}) stand in several rows", "name a key that tells rows apart")

    def digests(self) -> tuple[int, str, tuple[str, ...]]:
        """Return the number of rows, their digest, and one digest for each column."""
        return digests_of(self._connection, _VIEW, self.columns, by_column=True)

    def files(self, folder: Path, count: int) -> Iterator[tuple[Path, int]]:
        """Write the rows in the order of their key, one file at a time. The caller may delete each file at once.

        The same version of DuckDB writes equal rows as equal bytes: one thread, one order.
        """
        ordered = f"SELECT * FROM {_VIEW} ORDER BY {self._key}"
        self._connection.execute("SET threads = 1")
        for part, start in enumerate(range(0, max(count, 1), ROWS_PER_FILE)):
            path = folder / f"part-{part:05d}.parquet"
            window = f" LIMIT {ROWS_PER_FILE} OFFSET {start}" if count > ROWS_PER_FILE else ""
            target = f"{literal(str(path))} (FORMAT parquet, COMPRESSION zstd)"
            self._connection.execute(f"COPY ({ordered}{window}) TO {target}")
            yield path, min(ROWS_PER_FILE, count - start)

    def figures(self, digests: Sequence[str], count: int) -> tuple[ColumnFigures, ...]:
        """Describe each column."""
        wanted = []
        for name, kind in self.columns:
            column = quote(name)
            ordered = text_of(name, kind) if "(" in kind and not kind.startswith("decimal") else column
            distinct = f"count(DISTINCT {column})" if count <= EXACT_DISTINCT_ROWS else "NULL"
            extremes = (f"CAST({function}({ordered}) AS VARCHAR)" for function in ("min", "max"))
            wanted += [f"count(*) - count({column})", distinct, *extremes]
        row = self._connection.execute(f"SELECT {', '.join(wanted)} FROM {_VIEW}").fetchone() or ()
        found = []
        for at, ((name, kind), digest) in enumerate(zip(self.columns, digests, strict=True)):
            nulls, distinct, least, greatest = row[4 * at : 4 * at + 4]
            found.append(ColumnFigures(name=name, type=kind, digest=digest, nulls=int(nulls), distinct=distinct,
                                       least=least, greatest=greatest))  # fmt: skip
        return tuple(found)

    def sides(self) -> dict[str, int]:
        """Count the rows on each side of the split; none where the set is not split."""
        split = self._definition.split
        if split is None:
            return {}
        counted = dict(self._connection.execute(f"SELECT {SPLIT_COLUMN}, count(*) FROM {_VIEW} GROUP BY 1").fetchall())
        return {name: int(counted.get(name, 0)) for name, _ in split.shares}

    @property
    def _key(self) -> str:
        return ", ".join(quote(name) for name in self._definition.query.keys)

    def _fail(self, message: str, remedy: str) -> ContractError:
        return ContractError(message, file=f"frozen/{self._definition.name}.sql", place="header", remedy=remedy)

    def _number(self, query: str) -> int:
        row = self._connection.execute(query).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def opened(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB that spills below `scratch`. Texts of times are UTC."""
    import duckdb  # noqa: PLC0415  (a tenth of a second)

    with duckdb.connect(config={"temp_directory": str(scratch / "spill")}) as connection:
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        yield connection


def side_of(entity: str, split: Split) -> str:
    """Return SQL for the side of an entity, given SQL for its text.

    The first 8 hex digits of the SHA-256 of `seed|text`, modulo 10,000, fall into the shares in their order.
    """
    bucket = f"CAST('0x' || substr(sha256({literal(split.seed + '|')} || {entity}), 1, 8) AS UBIGINT) % {_BUCKETS}"
    cases, upper = [], 0.0
    for name, share in split.shares:
        upper += share
        cases.append(f"WHEN {bucket} < {round(upper * _BUCKETS / 100)} THEN {literal(name)}")
    return f"CASE {' '.join(cases)} END"
