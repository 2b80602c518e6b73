"""Where things are in the lake bucket. No calls, no Iceberg: every package may use it."""

from __future__ import annotations


def table_location(lake_bucket: str, table: str) -> str:
    """Return where a table lives."""
    return f"s3://{lake_bucket}/tables/{table}"


def data_folder(table: str, run_id: str) -> str:
    """Return the key prefix of the data files that one run writes for a table."""
    return f"tables/{table}/data/{run_id}"
