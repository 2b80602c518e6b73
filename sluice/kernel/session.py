"""A DuckDB connection that can touch this task's directories and nothing else. No query is built here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from sluice.kernel.outcome import Limits

# Their words are of bytes, files and columns.
_ABOUT_THE_MACHINE = (
    duckdb.OutOfMemoryException,
    duckdb.IOException,
    duckdb.InterruptException,
    duckdb.BinderException,
)
_HELD = 1 / 32  # of the limit: how much freed memory may stay with the process


@contextmanager
def session(*, limits: Limits, scratch: Path, directories: Iterable[Path] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory database that spills into `scratch/spill` and may open files below `scratch` and `directories`.

    No extensions, no network, no other files, and no statement can loosen that again. An error that leaves the block
    keeps its type and loses its words where they may quote a row: it ends in logs and histories.
    """
    spill = scratch / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    allowed = sorted({f"{path.resolve()}/" for path in (scratch, *directories)})
    held = f"{round(limits.memory_bytes * _HELD)}B"
    connection = duckdb.connect(
        config={
            "threads": limits.threads,
            "memory_limit": f"{limits.memory_bytes}B",
            "temp_directory": str(spill),
            # Parquet writers may end a row group by its bytes. No result depends on it: places are numbers in rows.
            "preserve_insertion_order": False,
            # What is freed above these goes back to the system, which takes time; else much more than a small limit
            # is held.
            "allocator_flush_threshold": held,
            "allocator_bulk_deallocation_flush_threshold": held,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    try:
        connection.execute("SET allowed_directories = $1", [allowed])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET GLOBAL TimeZone = 'UTC'")  # text without an offset is UTC, in every cursor
        connection.execute("SET lock_configuration = true")
        yield connection
    except _ABOUT_THE_MACHINE:
        raise
    except duckdb.Error as error:
        raise type(error)(f"{type(error).__name__}; what DuckDB said may quote a row and is left out") from None
    finally:
        connection.close()
