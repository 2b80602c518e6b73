"""What the kernel is given and what it gives back. Plain data, no DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One raw object, or the part of one that begins at byte `offset`, already on local disk.

    `path` never derives from the key.
    """

    path: Path
    load_id: str
    key: str
    version_id: str
    order: str
    offset: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on one kernel call (facts on hostile input: docs/security.md)."""

    memory_bytes: int = 1 << 30  # DuckDB's memory_limit; soft, up to 30% over
    threads: int = 2
    max_bytes: int = 16 << 30  # decompressed bytes of one object
    max_ratio: int = 200  # decompressed to compressed
    max_rows: int = 500_000_000
    max_field_bytes: int = 8 << 20
    max_columns: int = 4096


@dataclass(frozen=True, kw_only=True)
class RejectCount:
    """How many rows of one load broke one rule of one column (first broken rule of each row)."""

    column: str | None
    rule: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What one check of the plan, by its place there, found in one load; None where it could not be computed."""

    check: int
    value: int | float | None


@dataclass(frozen=True, kw_only=True)
class LoadSummary:
    """The account of one load: rows_read = rows_accepted + rows_rejected + rows_superseded, always.

    `refused` is the reason why the whole object was refused (then all counts are 0 and the rejects hold one entry
    without a row number), else None.
    """

    load_id: str
    rows_read: int
    rows_accepted: int
    rows_rejected: int
    rows_superseded: int
    rejects: tuple[RejectCount, ...] = ()
    warnings: tuple[RejectCount, ...] = ()
    stops: tuple[RejectCount, ...] = ()  # rows that broke a rule of severity `stop` (they are rejects too)
    measures: tuple[Measure, ...] = ()  # of the plan's checks, in their order; none where the object was refused
    refused: str | None = None


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """One Parquet file that the kernel wrote. A data file holds rows of exactly one partition."""

    path: Path
    kind: Literal["data", "rejects"]
    rows: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that one kernel call produced."""

    files: tuple[OutputFile, ...]
    loads: tuple[LoadSummary, ...]


@dataclass(frozen=True, kw_only=True)
class MergeOutcome:
    """What changes in a table's set of files: add all of `files`, drop all of `replaced`, leave every other as it is.

    `files` is complete: an incoming file that stands as it is, is listed with its own path; new files lie below `out`.
    """

    files: tuple[OutputFile, ...]
    replaced: tuple[Path, ...]
    rows_removed: int  # rows of current files that are not in `files` any more
    rows_stale: int = 0  # incoming rows that lost to newer rows
