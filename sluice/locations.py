"""The names of places in the lake: key prefixes, the suffix of rejects tables. Nothing else knows these words.

Stacks grant rights by them, stages write by them. No calls, no Iceberg.
"""

from __future__ import annotations

TABLES = "tables/"  # files of all tables: tables/<table>/data/... and tables/<table>/metadata/...
RUNS = "runs/"  # documents of all runs: runs/<dataset>/<fence>/...
_REJECTS = "__rejects"


def rejects_table(dataset: str) -> str:
    """Return the name of the table that holds a dataset's rejects."""
    return f"{dataset}{_REJECTS}"


def table_prefix(table: str) -> str:
    """Return the key prefix of all files of a table."""
    return f"{TABLES}{table}/"


def table_location(lake_bucket: str, table: str) -> str:
    """Return the address of a table, as Iceberg has it: without a slash at the end."""
    return f"s3://{lake_bucket}/{TABLES}{table}"


def data_folder(table: str, run_id: str) -> str:
    """Return the key prefix of the data files that one run writes for a table."""
    return f"{table_prefix(table)}data/{run_id}"


def data_folder_of(key: str) -> str:
    """Return the folder below `data/` that a key lies in (a run, a compaction); "" for a key that is no data file."""
    parts = key.removeprefix(TABLES).split("/")
    return parts[2] if len(parts) > 3 and parts[1] == "data" else ""  # noqa: PLR2004  (table, data, folder, file)


def run_prefix(dataset: str, fence: int) -> str:
    """Return the key prefix of the documents of one run."""
    return f"{RUNS}{dataset}/{fence:08d}"
