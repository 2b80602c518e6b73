"""One DuckDB database for all tasks of this operating system process: opening one costs more than a small file does.

Each task gets a connection of its own, with which everything that it makes goes again: the kernel makes temporary
tables only. What a session may open is the simulation's own folder in place of the task's.
"""

from __future__ import annotations

from typing import Any

import duckdb


def install(folder: str) -> None:
    """Let `duckdb.connect`, asked for a database with a configuration, give a connection to the one that is open."""
    connect = duckdb.connect
    known: dict[Any, Any] = {}

    def warm(*, config: dict[str, Any] | None = None) -> Any:
        if config is None:
            return connect()
        key = tuple(sorted((name, value) for name, value in config.items() if name != "temp_directory"))
        if key not in known:
            known[key] = database = connect(config={**config, "temp_directory": f"{folder}/spill"})
            database.execute("SET allowed_directories = $1", [[f"{folder}/"]])
            database.execute("SET enable_external_access = false")
            database.execute("SET GLOBAL TimeZone = 'UTC'")
            database.execute("SET lock_configuration = true")
        return _Connection(known[key].cursor())

    duckdb.connect = warm  # type: ignore[assignment]


class _Connection:
    """A connection whose settings stand already."""

    def __init__(self, to: Any) -> None:
        self._to = to

    def __getattr__(self, name: str) -> Any:
        return getattr(self._to, name)

    def execute(self, query: str, parameters: Any = None) -> Any:
        if query.startswith("SET "):
            return self
        return self._to.execute(query, parameters)
