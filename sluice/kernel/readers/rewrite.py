"""Records that Python read, written so that DuckDB reads them back without a doubt: every cell quoted, one dialect."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from sluice.contract.plan import EXTRA
from sluice.kernel.readers.delimited import Record
from sluice.kernel.readers.header import REPEATED, RepeatedHeader
from sluice.kernel.readers.records import NO_TEXT, Records, cell_names

_LINE = 2 << 20  # what DuckDB's reader takes without being asked
_BUFFER = 1 << 25  # bytes; DuckDB would take sixteen of the longest lines, and two such buffers
_KEPT = 1 << 20  # characters of raw text kept for a reject
_MARK = "\x1f"  # before a typed cell of a column whose cast wants to know
_SQL_MARK = "chr(31)"
_ESCAPE = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")
_HALF = "expected Unicode text, got half of a surrogate pair"


class Typed(str):
    """The text of a cell that the file holds as a value of some type, not as a text."""

    __slots__ = ()


def rewritten(
    found: Iterable[Record],
    path: Path,
    *,
    width: int,
    cells: Mapping[str, int],
    first_row: int,
    again: RepeatedHeader | None = None,
    extras: Mapping[str, int] | None = None,
    fill: bool = False,
    fault: str = "row.fields",
    typed: Collection[str] = (),
) -> Records:
    """Write the wanted cells of the records to `path`; a record without `width` cells gets a fault instead.

    `cells` maps source columns to places in a record, `extras` the names of unknown columns that are taken. Cells of
    the sources `typed` that are values are marked as such. With `fill`, cells that a record lacks at its end are
    missing ones, and empty cells too many are dropped. A record that is the header once more, `again`, is no row.
    """
    longest = _LINE
    places = list(cells.values())
    marked = [name in typed for name in cells]
    taken = [EXTRA] if extras else []
    with path.open("wb") as file:
        for row, record in enumerate(found, first_row + 1):
            given = _filled(record.cells, width) if fill and not record.fault else record.cells
            wrong = record.fault
            if not wrong and len(given) != width:
                # In the words of the fast reader: a part of an object must say what the whole one says.
                wrong = f"expected {width} cells, got {len(given) if len(given) < width else 'more'}"
            elif again and not wrong and again.is_in(given):
                wrong = REPEATED
            kept = [""] * len(places + taken) if wrong else [given[at] for at in places]
            if typed and not wrong:
                pairs = zip(marked, kept, strict=True)
                kept = [f"{_MARK}{cell}" if mark and isinstance(cell, Typed) else cell for mark, cell in pairs]
            if extras and not wrong:
                kept.append(_as_json({name: given[at] for name, at in extras.items()}))
            raw = record.raw[:_KEPT]
            try:
                written = _line(str(row), wrong, raw, *kept)
            except UnicodeEncodeError:  # JSON can say half a character, which no table can hold
                raw = raw.encode("utf-8", "backslashreplace").decode()
                written = _line(str(row), wrong or _HALF, raw, *("" for _ in kept))
            longest = max(longest, len(written) + 1)
            file.write(written)
    named = [*cells, *taken]
    columns = ["_sluice_raw", *cell_names(len(named))]
    kinds = {"_sluice_row": "BIGINT", "_sluice_fault": "VARCHAR", **dict.fromkeys(columns, "VARCHAR")}
    given_cells = dict(zip(named, columns[1:], strict=True))
    flags = {name: f"starts_with({given_cells[name]}, {_SQL_MARK})" for name in cells if name in typed}
    given_cells |= {
        name: f"CASE WHEN {flag} THEN {given_cells[name]}[2:] ELSE {given_cells[name]} END"
        for name, flag in flags.items()
    }
    sql = f"""
        SELECT * REPLACE (nullif(_sluice_fault, '') AS _sluice_fault)
        FROM read_csv(
            $path, columns = {{{", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())}}},
            auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', nullstr = $no_text,
            allow_quoted_nulls = false, new_line = $line_end, parallel = false, max_line_size = {longest},
            buffer_size = {max(_BUFFER, 2 * longest)}
        )"""
    return Records(
        sql=sql,
        parameters={"path": str(path), "no_text": NO_TEXT, "line_end": r"\n"},
        columns=columns,
        cells=given_cells,
        typed=flags,
        raw="_sluice_raw",
        fault=fault,
    )


def _line(*cells: str | None) -> bytes:
    quoted = (NO_TEXT if cell is None else '"' + cell.replace('"', '""') + '"' for cell in cells)
    return (",".join(quoted) + "\n").encode()


def _as_json(cells: Mapping[str, str | None]) -> str:
    """Write cells as DuckDB's `json_object` does for the fast reader."""
    written = json.dumps(cells, ensure_ascii=False, separators=(",", ":"))
    return _ESCAPE.sub(lambda found: "\\u" + found[0][2:].upper() if found[1] else found[0], written)


def _filled(cells: Sequence[str | None], width: int) -> Sequence[str | None]:
    if len(cells) <= width:
        return [*cells, *[None] * (width - len(cells))]
    return cells if any(cells[width:]) else cells[:width]
