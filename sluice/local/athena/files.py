"""A SELECT of the subset over Parquet files instead of a catalog: for proofs that must not trust any table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from sluice.contract.sql import literal, quote
from sluice.local.athena.duck import to_duckdb
from sluice.warehouse.analyse import analyse
from sluice.warehouse.definition import SetDefinition
from sluice.warehouse.query import parse_query

_NAMES = {"INTEGER": "integer", "BIGINT": "bigint", "FLOAT": "real", "DOUBLE": "double", "VARCHAR": "varchar",
          "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp"}  # fmt: skip


def select_files(definition: SetDefinition, tables: Mapping[str, Sequence[Path]], scratch: Path) -> Sequence[Path]:
    """Run the set's SELECT over the files of each table. Returns the files of the result, below `scratch`."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = {}
        for name, files in tables.items():
            listed = ", ".join(literal(str(path)) for path in files)
            connection.execute(
                f"CREATE VIEW {quote(name)} AS SELECT * FROM "
                f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)"
            )
            described = connection.execute(f"DESCRIBE {quote(name)}").fetchall()
            columns[name] = [(column, _NAMES.get(kind, kind.lower())) for column, kind, *_ in described]
        tree = parse_query(definition.query.sql)
        analysis = analyse(tree, columns)
        casts = ", ".join(f"CAST({quote(name)} AS {kind}) AS {quote(name)}" for name, kind in definition.query.columns)
        path = scratch / "selected.parquet"
        connection.execute(
            f"COPY (SELECT {casts} FROM ({to_duckdb(analysis.tree)}) AS t) TO {literal(str(path))} (FORMAT parquet)"
        )
    return [path]
