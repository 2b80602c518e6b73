"""What makes two sets of rows the same: a digest that depends on types and values, and not on order or files.

Each row becomes one text (the length and canonical text of each cell), each text an MD5 of 128 bits; the digests are
added modulo 2^128, so parts can be added up. The SHA-256 over algorithm, types, count and sum is the digest of the set.
The sum protects against accidents; the SHA-256 of each file, kept in the manifest, protects against an adversary.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.contract.sql import quote

if TYPE_CHECKING:
    import duckdb

ALGORITHM = "sluice-rows-1"
_SIMPLE = {
    "boolean": "BOOLEAN", "integer": "INTEGER", "bigint": "BIGINT", "smallint": "SMALLINT", "tinyint": "TINYINT",
    "real": "FLOAT", "double": "DOUBLE", "varchar": "VARCHAR", "date": "DATE", "timestamp": "TIMESTAMP",
    "time": "TIME", "varbinary": "BLOB",
}  # fmt: skip
_LANE = 1 << 64

Columns = Sequence[tuple[str, str]]  # (name, type as Athena names it)


def text_of(name: str, kind: str) -> str:
    """Return SQL for the canonical text of a cell, NULL for a missing one.

    Numbers are as DuckDB prints them (doubles: the shortest text that reads back), times are UTC, nested values JSON.
    """
    column = quote(name)
    base = kind.partition("(")[0]
    if kind in _SIMPLE:
        return f"CAST(CAST({column} AS {_SIMPLE[kind]}) AS VARCHAR)"
    if base == "decimal":
        return f"CAST(CAST({column} AS {kind}) AS VARCHAR)"
    if base in {"varchar", "char", "timestamp", "time"}:
        return f"CAST({column} AS VARCHAR)"
    return f"CASE WHEN {column} IS NOT NULL THEN CAST(to_json({column}) AS VARCHAR) END"


def digests_of(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Columns, *, by_column: bool = False
) -> tuple[int, str, tuple[str, ...]]:
    """Return the number of rows of a relation, the digest of its rows, and one digest for each column if asked for.

    A column's digest adds DuckDB's 64-bit hash of each text. It is fast and tells which columns differ; it is no proof,
    and compares only between equal versions of DuckDB. The connection's time zone must be UTC.
    """
    texts = [text_of(name, kind) for name, kind in columns]
    cells = ", ".join(f"coalesce(CAST(length({text}) AS VARCHAR) || ':' || {text}, '-')" for text in texts)
    hashed = [f"md5_number(concat_ws(',', {cells})) AS row_hash"]
    sums = [
        "count(*)",
        "sum(CAST(row_hash >> 64 AS HUGEINT))",
        f"sum(CAST(row_hash & {_LANE - 1}::UHUGEINT AS HUGEINT))",
    ]
    for at, text in enumerate(texts if by_column else ()):
        hashed.append(f"hash({text}) AS hash_{at}")
        sums.append(f"sum(CAST(hash_{at} AS HUGEINT))")
    query = f"SELECT {', '.join(sums)} FROM (SELECT {', '.join(hashed)} FROM {relation})"
    row = connection.execute(query).fetchone() or (0, 0, 0)
    count, upper, lower, *each = (int(value or 0) for value in row)
    total = (upper * _LANE + lower) % (_LANE * _LANE)
    digest = _sealed([list(column) for column in columns], count, total)
    return count, digest, tuple(f"{total % _LANE:016x}" for total in each)


def _sealed(types: Sequence[object], count: int, total: int) -> str:
    text = json.dumps([ALGORITHM, types, count, f"{total:032x}"], separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
