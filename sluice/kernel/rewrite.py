"""Records that Python read, written so that DuckDB reads them back without a doubt: every cell quoted, one dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sluice.kernel.delimited import Record
from sluice.kernel.records import NO_TEXT, Records, cell_names

_LINE = 2 << 20  # what DuckDB's reader takes without being asked
_KEPT = 1 << 20  # characters of raw text kept for a reject


def rewritten(
    found: Iterable[Record],
    path: Path,
    *,
    width: int,
    cells: Mapping[str, int],
    first_row: int,
    fault: str = "row.fields",
) -> Records:
    """Write the wanted cells of the records to `path`; a record without `width` cells gets a fault instead.

    `cells` maps source columns to places in a record.
    """
    longest = _LINE
    with path.open("w", encoding="utf-8", newline="") as file:
        for row, record in enumerate(found, first_row + 1):
            wrong = record.fault
            if not wrong and len(record.cells) != width:
                # In the words of the fast reader: a part of an object must say what the whole one says.
                wrong = f"expected {width} cells, got {len(record.cells) if len(record.cells) < width else 'more'}"
            line = [str(row), wrong, record.raw[:_KEPT], *("" if wrong else record.cells[at] for at in cells.values())]
            written = ",".join(NO_TEXT if cell is None else '"' + cell.replace('"', '""') + '"' for cell in line) + "\n"
            longest = max(longest, 4 * len(written))
            file.write(written)
    columns = ["_sluice_raw", *cell_names(len(cells))]
    kinds = {"_sluice_row": "BIGINT", "_sluice_fault": "VARCHAR", **dict.fromkeys(columns, "VARCHAR")}
    sql = f"""
        SELECT * REPLACE (nullif(_sluice_fault, '') AS _sluice_fault)
        FROM read_csv(
            $path, columns = {{{", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())}}},
            auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', nullstr = $no_text,
            allow_quoted_nulls = false, new_line = $line_end, parallel = false, max_line_size = {longest}
        )"""
    return Records(
        sql=sql,
        parameters={"path": str(path), "no_text": NO_TEXT, "line_end": r"\n"},
        columns=columns,
        cells=dict(zip(cells, columns[1:], strict=True)),
        raw="_sluice_raw",
        fault=fault,
    )
