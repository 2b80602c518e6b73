"""Records that Python read, written so that DuckDB reads them back without a doubt: every cell quoted, one dialect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sluice.kernel.delimited import Record
from sluice.kernel.records import NO_TEXT, Records, cell_names, taken

_LINE = 2 << 20  # what DuckDB's reader takes without being asked
_KEPT = 1 << 20  # characters of raw text kept for a reject
_HALF = "expected Unicode text, got half of a surrogate pair"


def rewritten(
    found: Iterable[Record],
    path: Path,
    *,
    width: int,
    cells: Mapping[str, int],
    first_row: int,
    extras: Mapping[str, int] | None = None,
    fill: bool = False,
    fault: str = "row.fields",
) -> Records:
    """Write the wanted cells of the records to `path`; a record without `width` cells gets a fault instead.

    `cells` maps source columns to places in a record, `extras` the names of unknown columns that are taken. With
    `fill`, cells that a record lacks at its end are missing ones, and empty cells too many are dropped.
    """
    longest = _LINE
    extras = extras or {}
    places = [*cells.values(), *extras.values()]
    with path.open("wb") as file:
        for row, record in enumerate(found, first_row + 1):
            given = _filled(record.cells, width) if fill and not record.fault else record.cells
            wrong = record.fault
            if not wrong and len(given) != width:
                # In the words of the fast reader: a part of an object must say what the whole one says.
                wrong = f"expected {width} cells, got {len(given) if len(given) < width else 'more'}"
            raw = record.raw[:_KEPT]
            try:
                written = _line(str(row), wrong, raw, *("" if wrong else given[at] for at in places))
            except UnicodeEncodeError:  # JSON can say half a character, which no table can hold
                raw = raw.encode("utf-8", "backslashreplace").decode()
                written = _line(str(row), wrong or _HALF, raw, *("" for _ in places))
            longest = max(longest, 4 * len(written))
            file.write(written)
    columns = ["_sluice_raw", *cell_names(len(places))]
    taking, bound = taken({name: at for at, name in enumerate(extras, len(cells))}, columns[1:])
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
        parameters={"path": str(path), "no_text": NO_TEXT, "line_end": r"\n"} | bound,
        columns=columns,
        cells=dict(zip(cells, columns[1:], strict=False)) | taking,
        raw="_sluice_raw",
        fault=fault,
    )


def _line(*cells: str | None) -> bytes:
    quoted = (NO_TEXT if cell is None else '"' + cell.replace('"', '""') + '"' for cell in cells)
    return (",".join(quoted) + "\n").encode()


def _filled(cells: Sequence[str | None], width: int) -> Sequence[str | None]:
    if len(cells) <= width:
        return [*cells, *[None] * (width - len(cells))]
    return cells if any(cells[width:]) else cells[:width]
