"""A limit: DuckDB copies all columns as text to one zstd Parquet file. Nothing is cast, checked or sorted."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))
from job import COLUMNS


def main(source: Path, out: Path, memory_gb: float) -> None:
    """Write one file below `out`."""
    out.mkdir(parents=True)
    connection = duckdb.connect(config={"threads": 2, "memory_limit": f"{memory_gb}GB"})
    connection.execute("SET preserve_insertion_order = false")
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    connection.execute(f"""
    COPY (
        SELECT * FROM read_csv(
            '{source}', header = true, columns = {{{columns}}}, auto_detect = false, delim = ',', quote = '"')
    ) TO '{out}/all.parquet' (FORMAT parquet, COMPRESSION zstd)""")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
