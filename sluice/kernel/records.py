"""Where the records of an object come from: SQL that yields each record's number, faults and cells as text.

Readers of files that DuckDB understands by itself. What a cell means is decided in `examine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.contract.plan import Plan
from sluice.contract.sql import quote
from sluice.kernel.text import Text

# An unquoted cell that reads as NULL. DuckDB needs one; this one keeps '' apart from a cell that is not there.
NO_TEXT = "\x1d\x1e\x1fsluice\x1f\x1e\x1d"


@dataclass(frozen=True, kw_only=True)
class Records:
    """A relation of records.

    Its columns: `_sluice_row` (1 for the first record), `_sluice_fault` (what is expected and what was found; NULL
    where the record has the right shape), `_sluice_raw` (the record as text) and cells, VARCHAR. `cells` maps source
    columns to cell expressions. A record with a fault breaks the rule `fault`.
    """

    sql: str
    parameters: Mapping[str, Any]
    cells: Mapping[str, str]
    fault: str = "row.fields"


def csv_records(
    text: Text, plan: Plan, *, width: int, cells: Mapping[str, int], first_row: int, header: bool, skip_lines: int
) -> Records:
    """Read a delimited file with DuckDB's own reader: fast, but it loses what stands in a quote that never closes.

    It fails (duckdb.InvalidInputException) on a record with two cells too many and on other text after a closing
    quote. Whoever uses it must account for the lines (`read`).
    """
    reading = plan.reading
    names = [f"c{position}" for position in range(width)]
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in (*names, "extra"))
    found = f"len(list_filter([{', '.join(names)}], lambda cell: cell IS NOT NULL))"
    sql = f"""
        SELECT
            row_number() OVER () + $first_row - {int(header)} AS _sluice_row,
            CASE
                WHEN extra IS NOT NULL THEN 'expected {width} cells, got more'
                WHEN {names[-1]} IS NULL THEN 'expected {width} cells, got ' || {found}
            END AS _sluice_fault,
            {_joined((*names, "extra"), quotes=text.quotes)} AS _sluice_raw,
            {", ".join(names)}
        FROM read_csv(
            $path, columns = {{{columns}}}, auto_detect = false, header = false, skip = {skip_lines},
            delim = $delimiter, quote = $quote, escape = $escape, nullstr = $no_text, null_padding = true,
            new_line = $line_end, parallel = {str(not text.quotes).lower()}
        )"""
    parameters = {
        "first_row": first_row,
        "path": str(text.path),
        "delimiter": reading.delimiter,
        "quote": reading.quote if text.quotes else "",
        "escape": (reading.escape or reading.quote) if text.quotes else "",
        "line_end": text.line_end,
        "no_text": NO_TEXT,
    }
    wrapped = f"SELECT * FROM ({sql}) WHERE _sluice_row > $first_row" if header else sql
    return Records(sql=wrapped, parameters=parameters, cells={name: f"c{at}" for name, at in cells.items()})


def parquet_records(path: Path, *, names: Sequence[str], cells: Mapping[str, int]) -> Records:
    """Read a Parquet file; each value becomes the text that a file of text would have for it."""
    sql = f"""
        SELECT
            file_row_number + 1 AS _sluice_row, NULL::VARCHAR AS _sluice_fault,
            CAST(to_json(struct_pack({", ".join(f"{quote(name)} := {quote(name)}" for name in names)})) AS VARCHAR)
                AS _sluice_raw,
            {", ".join(f"CAST({quote(name)} AS VARCHAR) AS c{position}" for position, name in enumerate(names))}
        FROM read_parquet($path, file_row_number = true, hive_partitioning = false)"""
    parameters = {"path": str(path)}
    return Records(sql=sql, parameters=parameters, cells={name: f"c{at}" for name, at in cells.items()})


def _joined(names: Sequence[str], *, quotes: bool) -> str:
    """Write the record again. Without quote characters in the file that is exactly the line that stood there."""
    if not quotes:
        return f"concat_ws($delimiter, {', '.join(names)})"
    quoted = ", ".join(
        f"CASE WHEN contains({name}, $delimiter) OR contains({name}, $quote) OR contains({name}, chr(10))"
        f" THEN $quote || replace({name}, $quote, $escape || $quote) || $quote ELSE {name} END"
        for name in names
    )
    return f"concat_ws($delimiter, {quoted})"
