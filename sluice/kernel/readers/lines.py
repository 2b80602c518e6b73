"""Where records stand in their file: for messages that somebody with an editor can follow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path

from sluice.contract.plan import Plan
from sluice.kernel.framing.text import prepare
from sluice.kernel.outcome import Limits, SourceFile
from sluice.kernel.readers.delimited import records
from sluice.kernel.readers.sheets import sheet_records

_FAR = 5_000_000  # records; nobody scrolls there, and finding them takes a minute


def record_lines(
    source: SourceFile, plan: Plan, rows: Collection[int], *, scratch: Path, limits: Limits
) -> Mapping[int, int]:
    """Return the line, from 1, in which each of the records with these numbers, from 1, begins; of a sheet the row.

    Records of formats without lines are left out, and those beyond the first five million.
    """
    wanted = {row for row in rows if row <= _FAR}
    if not wanted or plan.reading.format == "parquet" or plan.reading.record_path:
        return {}
    if plan.reading.format == "xlsx":
        found = islice(sheet_records(source, plan, limits=limits)[1], max(wanted))
        return {row: record.line for row, record in enumerate(found, 1) if row in wanted}
    text = prepare(source, plan, scratch=scratch, limits=limits)
    starts = _json_lines(text.path) if plan.reading.format == "json" else _lines(text.path, plan, limits, source.key)
    return {row: line for row, line in enumerate(islice(starts, max(wanted)), 1) if row in wanted}


def _lines(path: Path, plan: Plan, limits: Limits, key: str) -> Iterator[int]:
    header = plan.reading.header_lines if plan.reading.header else 0
    found = records(path, plan, limits, key=key, skip_lines=plan.reading.skip_lines)
    return (record.line for record in islice(found, header, None))


def _json_lines(path: Path) -> Iterator[int]:
    """Yield the lines of objects that stand one to a line; nothing where all are in one array."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if text and not (text.startswith("{") and text.endswith("}")):
                return  # an array, or an object over several lines
            if text:
                yield number
