"""One object to its records: which reader takes it, and who takes over when the fast one cannot be sure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import duckdb

from sluice.contract.plan import Plan
from sluice.kernel.delimited import read_names, records
from sluice.kernel.header import positions, sources
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.records import Records, csv_records
from sluice.kernel.rewrite import rewritten
from sluice.kernel.text import Text, prepare

T = TypeVar("T")


def read(
    source: SourceFile,
    plan: Plan,
    consume: Callable[[Records], T],
    *,
    scratch: Path,
    limits: Limits,
    first_row: int = 0,
    names: Sequence[str] | None = None,
) -> T:
    """Give the object's records to `consume`; a second time, from a slower reader, if the first reader fails.

    `consume` must leave nothing behind when it raises. With `names` the file has no header and is a part of an object:
    its first record is number `first_row + 1`. Raises DataError for an object that cannot be read under the plan.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    text = prepare(source, plan, scratch=scratch, limits=limits)
    header = names is None and plan.reading.header
    skip_lines = plan.reading.skip_lines if names is None else 0
    if names is None:
        names = read_names(text.path, plan, limits, key=source.key) if header else sources(plan)
    cells = positions(names, plan, key=source.key)
    width = len(names)
    if _plain(text):
        try:
            return consume(
                csv_records(
                    text, plan, width=width, cells=cells, first_row=first_row, header=header, skip_lines=skip_lines
                )
            )
        except duckdb.InvalidInputException:
            pass  # it quotes the line it stumbled over; the reader below gives the reason without
    found = records(text.path, plan, limits, key=source.key, skip_lines=skip_lines)
    if header:
        next(found)
    return consume(rewritten(found, scratch / "records.csv", width=width, cells=cells, first_row=first_row))


def _plain(text: Text) -> bool:
    """Whether DuckDB's reader sees the same records in it as anybody would."""
    return not (text.returns or text.nuls or text.long_lines or text.quotes)
