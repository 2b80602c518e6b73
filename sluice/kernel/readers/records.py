"""Where the records of an object come from: SQL that yields each record's number, faults and cells as text.

Readers of files that DuckDB understands by itself. What a cell means is decided in `examine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.contract.plan import EXTRA, Plan, Reading
from sluice.contract.sql import literal, quote
from sluice.kernel.framing.portions import Portion
from sluice.kernel.framing.text import Text
from sluice.kernel.framing.tokens import AFTER, OPEN, PAIR, STRAY
from sluice.kernel.readers.header import REPEATED, repeated_header
from sluice.kernel.readers.values import fault_of, text_of

# An unquoted cell that reads as NULL. DuckDB needs one; this one keeps '' apart from a cell that is not there.
NO_TEXT = "\x1d\x1e\x1fsluice\x1f\x1e\x1d"

NO_TEXT_BYTES = "expected texts in UTF-8, got other bytes"
_FAULT_RULES = {
    NO_TEXT_BYTES: "row.encoding",
    **dict.fromkeys((OPEN, AFTER, STRAY, PAIR), "row.quotes"),
    REPEATED: "row.header",
}
TAKEN = "_sluice_taken"  # the column of a relation that holds unknown columns


@dataclass(frozen=True, kw_only=True)
class Records:
    """A relation of records, and how to read it.

    Its columns are `_sluice_row` (1 for the first record), `_sluice_fault` (what is expected and what was found; NULL
    where the record has the right shape) and `columns`. `cells` maps source columns to VARCHAR expressions over them,
    and `raw` is one, too: the record as text. A record with a fault breaks the rule `fault`, unless the fault has a
    rule of its own.
    """

    sql: str
    parameters: Mapping[str, Any]
    columns: Sequence[str]
    cells: Mapping[str, str]
    raw: str
    fault: str = "row.fields"
    typed: Mapping[str, str] = field(default_factory=dict)  # SQL: whether a source's cell is a typed value (`values`)

    @property
    def fault_rule(self) -> str:
        """SQL of the rule that a record with a fault breaks."""
        whens = " ".join(f"WHEN {literal(fault)} THEN {literal(rule)}" for fault, rule in _FAULT_RULES.items())
        return f"CASE _sluice_fault {whens} ELSE {literal(self.fault)} END"


def cell_names(width: int) -> list[str]:
    """Return names for the cells of a record that no source column has."""
    return [f"_sluice_cell_{number}" for number in range(width)]


def _taken(extras: Mapping[str, int], columns: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The column of a relation that holds unknown columns, if there are any to take, and the parameters of its SQL.

    `extras` maps their names to places in `columns`. The names come from files: they are bound, never written.
    """
    if not extras:
        return [], {}
    pairs = ", ".join(f"CAST($extra_{at} AS VARCHAR), {columns[at]}" for at in extras.values())
    bound = {f"extra_{at}": name for name, at in extras.items()}
    return [f"CAST(json_object({pairs}) AS VARCHAR) AS {TAKEN}"], bound


def csv_records(
    text: Text,
    plan: Plan,
    *,
    names: Sequence[str],
    cells: Mapping[str, int],
    extras: Mapping[str, int],
    first_row: int,
    header: int,
    skip_lines: int,
    above: int = 0,
    portion: Portion | None = None,
    proven: bool = False,
) -> Records:
    """Read a delimited file with DuckDB's own reader: fast, but it loses what stands in a quote that never closes.

    It fails (duckdb.InvalidInputException) on a record with two cells too many and on other text after a closing
    quote. Whoever uses it must account for the lines (`read`). In a `portion` of the file each record must be a line;
    `above` tells how many lines stand above the first record of the file.

    It also fails where quotes may be astray in a way that the contract rejects, unless it is `proven` that none are:
    what DuckDB gives does not tell a quote astray from a doubled one. `names` are those of the file's columns.
    """
    reading, width = plan.reading, len(names)
    *own, extra = all_names = cell_names(width + 1)
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in all_names)
    found = f"len(list_filter([{', '.join(own)}], lambda cell: cell IS NOT NULL))"
    filled = reading.ragged_rows == "fill"
    more = f"{extra} <> ''" if filled else f"{extra} IS NOT NULL"
    fewer = "" if filled else f"WHEN {own[-1]} IS NULL THEN 'expected {width} cells, got ' || {found}"
    again = repeated_header(names, reading)
    doubt = "" if proven or not text.quotes else _doubt(all_names, reading)
    taking, bound = _taken(extras, all_names)
    begins = portion is None or portion.lines_before == 0
    before = -header if portion is None or begins else portion.lines_before - above
    shape = f"""CASE
                {doubt and f"WHEN {doubt} THEN error('quotes that may be astray')"}
                WHEN {more} THEN 'expected {width} cells, got more'
                {fewer}
                {f"WHEN {again.condition(own)} THEN {literal(REPEATED)}" if again else ""}
            END AS _sluice_fault"""
    sql = f"""
        SELECT
            row_number() OVER () + $first_row + {before} AS _sluice_row,
            {", ".join([shape, *all_names, *taking])}
        FROM read_csv(
            $path, columns = {{{columns}}}, auto_detect = false, header = false, skip = {skip_lines if begins else 0},
            delim = $delimiter, quote = $quote, escape = $escape, nullstr = $no_text, null_padding = true,
            new_line = $line_end, parallel = false
        )"""
    parameters = {
        "first_row": first_row,
        "path": str(portion.path if portion else text.path),
        "delimiter": reading.delimiter,
        "quote": reading.quote if text.quotes else "",
        "escape": (reading.escape or reading.quote) if text.quotes else "",
        "line_end": text.line_end,
        "no_text": NO_TEXT,
    }
    return Records(
        sql=f"SELECT * FROM ({sql}) WHERE _sluice_row > $first_row" if header and begins else sql,
        parameters=parameters | bound | (again.parameters if again else {}),
        columns=[*all_names, *[TAKEN] * len(taking)],
        cells={name: own[at] for name, at in cells.items()} | dict.fromkeys([EXTRA] * len(taking), TAKEN),
        raw=_joined(all_names, quotes=text.quotes),
    )


def parquet_records(
    path: Path,
    *,
    own: Sequence[str],
    kinds: Sequence[Any],
    names: Sequence[str],
    cells: Mapping[str, int],
    extras: Mapping[str, int],
    plan: Plan,
) -> Records:
    """Read a Parquet file; each value becomes the text that its column's cast is meant to judge (`values`).

    `own` are DuckDB's names of the columns, `kinds` its types, `names` those in the file, by which a reject shows them.
    """
    columns = cell_names(len(names))
    targets = {column.source: column.type for column in (*plan.columns, *plan.omitted)}
    values = ", ".join(f"{quote(name)} AS {column}" for name, column in zip(own, columns, strict=True))
    record = ", ".join(f"{literal(name)}: {column}" for name, column in zip(_each_once(names), columns, strict=True))
    texts = [text_of(column, kind, "string") for column, kind in zip(columns, kinds, strict=True)]
    wanted = {name: text_of(columns[at], kinds[at], targets.get(name, "string")) for name, at in cells.items()}
    faults = [fault_of(columns[at], wanted[name], kinds[at]) for name, at in cells.items()]
    whens = " ".join(f"WHEN {fault} THEN {literal(NO_TEXT_BYTES)}" for fault in faults if fault)
    taking, bound = _taken(extras, texts)
    sql = f"""
        SELECT
            file_row_number + 1 AS _sluice_row, {", ".join([values, *taking])}
        FROM read_parquet($path, file_row_number = true, hive_partitioning = false)"""
    return Records(
        sql=f"SELECT *, CASE {whens} END AS _sluice_fault FROM ({sql})"
        if whens
        else f"SELECT *, NULL::VARCHAR AS _sluice_fault FROM ({sql})",
        parameters={"path": str(path)} | bound,
        columns=[*columns, *[TAKEN] * len(taking)],
        cells=wanted | dict.fromkeys([EXTRA] * len(taking), TAKEN),
        raw=f"CAST(to_json({{{record}}}) AS VARCHAR)",
        typed={name: "true" for name, at in cells.items() if kinds[at].id != "varchar"},
    )


def _each_once(names: Sequence[str]) -> list[str]:
    """The names, as members of one struct can have them: none like another in any case."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        free = name
        while free.lower() in taken:
            free += "_"
        taken.add(free.lower())
        found.append(free)
    return found


def _doubt(columns: Sequence[str], reading: Reading) -> str:
    """A condition on a record's cells that holds wherever `tokens` finds quotes astray, and at times elsewhere."""
    if reading.stray_quotes == "text":
        return ""
    if reading.stray_quotes == "reject":
        return f"contains(concat({', '.join(columns)}), $quote)"
    ends = " OR ".join(f"suffix({name}, $quote)" for name in columns[1:])
    several = f"len(list_filter([{', '.join(columns)}], lambda cell: contains(cell, $quote))) > 1"
    return f"CASE WHEN {ends} THEN {several} END"


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
