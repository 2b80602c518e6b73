"""What stands in each column of the samples, counted with the very casts that a contract with the type would run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from sluice.contract.amounts import LOOKS
from sluice.contract.casts import strict_cast
from sluice.contract.filetypes import file_type
from sluice.contract.formats import formatted_cast
from sluice.contract.infer import (
    DATE_FORMATS,
    NULL_TEXTS,
    SPELLINGS,
    TEXT_FORMATS,
    TIMESTAMP_FORMATS,
    Profile,
    best_spelling,
    exceptions,
    spelling_name,
)
from sluice.contract.model import Spelling
from sluice.contract.plan import Format
from sluice.contract.rules import text_format
from sluice.contract.spelling import spelled_cast
from sluice.contract.sql import literal
from sluice.kernel.outcome import Limits, OutputFile
from sluice.kernel.profile.nested import find_shape
from sluice.kernel.profile.samples import folders, scan
from sluice.kernel.session import session

_SAMPLES = (500, 20_000)  # rows in which a candidate must nearly fit before it is tried on more
_SLACK = 3  # times the exceptions that a candidate may have in a sample
_COMMON = 40  # frequent values that are looked at
_DECIMAL = "[+-]?[0-9]+([.][0-9]+)?"
_ORDERED = ("int", "long", "double", "date", "timestamp", "time")


def profile(
    files: Sequence[OutputFile],
    names: Sequence[str],
    *,
    folder: Path,
    limits: Limits,
    form: Format = "csv",
    progress: Callable[[str], None] = lambda _text: None,
) -> Sequence[Profile]:
    """Count what stands in each column of the data files, which came from files of the format `form`."""
    with session(limits=limits, scratch=folder / "scratch", directories=folders(files)) as connection:
        profiles = []
        for at, name in enumerate(names):
            progress(f"Counting: column {at + 1} of {len(names)}")
            connection.execute(f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {_cell(f'c{at}')} FROM {scan(files)}")
            found = _profile(connection, name, days=file_type(form).has_day_numbers)
            nested = file_type(form).has_nested_values and found.filled > 0
            profiles.append(replace(found, shape=find_shape(connection, "cells")) if nested else found)
        return profiles


def _cell(column: str) -> str:
    """The select list of the table `cells`: the text as it stands, and the cell, NULL where nothing stands there."""
    listed = ", ".join(literal(text) for text in NULL_TEXTS)
    return f"{column} AS given, CASE WHEN {column} NOT IN ('', {listed}) THEN {column} END AS cell"


def _profile(connection: duckdb.DuckDBPyConnection, source: str, *, days: bool) -> Profile:
    """Count one column. `days`: a day may stand for its first moment, as in workbooks."""
    counted = _counted(connection, source)
    if not counted.filled:
        return counted
    casts = _casts(days=days)
    left = casts
    for most in _SAMPLES:
        if counted.rows > most:
            left = _nearly_fitting(connection, f"(FROM cells LIMIT {most})", left, slack=_SLACK)
    misfits = _misfits(connection, "cells", left)
    counted = replace(counted, misfits=misfits)
    spelling = best_spelling(counted)
    ordered = [name for name in (*_ORDERED, "decimal") if name in misfits]
    if spelling is not None and spelling != Spelling():
        counted = replace(counted, misfits={**misfits, **_misfits(connection, "cells", _numbers(spelling))})
        ordered = []
    number = _usual("cell", spelling or Spelling())
    bounds = [_printed(f"{edge}({_ordering(name, days=days)})", name) for name in ordered for edge in ("min", "max")]
    digits = f"regexp_extract({number}, '^[+-]?0*([0-9]*)([.][0-9]*)?$', 1)"
    row = connection.execute(
        f"SELECT coalesce(max(length({digits})), 0) {''.join(f', {b}' for b in bounds)} FROM cells"
    )
    whole_digits, *edges = row.fetchone() or (0,)
    scale = f"length(regexp_extract({number}, '^[+-]?[0-9]*[.]?([0-9]*)$', 1))"
    scales = connection.execute(
        f"SELECT {scale}, count(*) FROM cells WHERE regexp_full_match({number}, '[+-]?[0-9]+([.][0-9]*)?') GROUP BY ALL"
    )
    return replace(
        counted,
        whole_digits=whole_digits,
        scales=dict(scales.fetchall()),
        least={name: edge for name, edge in zip(ordered, edges[::2], strict=True) if edge is not None},
        greatest={name: edge for name, edge in zip(ordered, edges[1::2], strict=True) if edge is not None},
        looks=_looks(connection),
    )


def _counted(connection: duckdb.DuckDBPyConnection, source: str) -> Profile:
    """The column's rows, missing values, lengths and frequent values."""
    rows, missing, distinct, shortest, longest, zero_led, negative = (
        connection.execute("""
    SELECT
        count(*), count(*) FILTER (WHERE coalesce(given, '') = ''), count(DISTINCT cell),
        coalesce(min(length(cell)), 0), coalesce(max(length(cell)), 0),
        count(*) FILTER (WHERE regexp_full_match(cell, '[+-]?0[0-9]+')),
        count(*) FILTER (WHERE starts_with(cell, '-'))
    FROM cells""").fetchone()
        or (0,) * 7
    )
    nulls = connection.execute(
        "SELECT given, count(*) FROM cells WHERE cell IS NULL AND given <> '' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    common = connection.execute(
        "SELECT cell, count(*) FROM cells WHERE cell IS NOT NULL GROUP BY ALL "
        f"ORDER BY count(*) DESC, cell LIMIT {_COMMON}"
    ).fetchall()
    return Profile(
        source=source, rows=rows, missing=missing, nulls=dict(nulls), distinct=distinct, shortest=shortest,
        longest=longest, zero_led=zero_led, negative=negative, common=[(str(text), count) for text, count in common],
    )  # fmt: skip


def _nearly_fitting(
    connection: duckdb.DuckDBPyConnection, cells: str, casts: Mapping[str, str], *, slack: int
) -> Mapping[str, str]:
    (filled,) = connection.execute(f"SELECT count(cell) FROM {cells}").fetchone() or (0,)
    most = slack * max(exceptions(filled), 1)
    return {name: casts[name] for name, count in _misfits(connection, cells, casts).items() if count <= most}


def _misfits(connection: duckdb.DuckDBPyConnection, cells: str, casts: Mapping[str, str]) -> dict[str, int]:
    """For each cast the number of cells that it cannot read."""
    if not casts:
        return {}
    counts = ", ".join(f"count(*) FILTER (WHERE cell IS NOT NULL AND ({cast}) IS NULL)" for cast in casts.values())
    row = connection.execute(f"SELECT {counts} FROM {cells}").fetchone() or ()
    return dict(zip(casts, row, strict=True))


def _looks(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    counts = ", ".join(f"count(*) FILTER (WHERE regexp_full_match(cell, {literal(look)}))" for look in LOOKS.values())
    row = connection.execute(f"SELECT {counts} FROM cells").fetchone() or ()
    return dict(zip(LOOKS, row, strict=True))


def _casts(*, days: bool) -> Mapping[str, str]:
    """Candidates, each with an expression over `cell` that is NULL where the cell is no such value."""
    kinds = ("boolean", *_ORDERED)
    return {
        **{kind: _cast(kind, days=days) for kind in kinds},
        "decimal": f"CASE WHEN regexp_full_match(cell, {literal(_DECIMAL)}) THEN 1 END",
        **{spelling_name(spelling): spelled_cast("cell", "double", spelling)[0] for spelling in SPELLINGS},
        **{f"date {form}": formatted_cast("cell", "date", form) for form in DATE_FORMATS},
        **{f"timestamp {form}": formatted_cast("cell", "timestamp", form) for form in TIMESTAMP_FORMATS},
        **{f"text {form}": f"CASE WHEN {text_format('cell', form)} THEN 1 END" for form in TEXT_FORMATS},
    }


def _numbers(spelling: Spelling) -> Mapping[str, str]:
    """The candidates among numbers in a spelling of their own."""
    plain = _usual("cell", spelling)
    as_number = spelled_cast("cell", "double", spelling)[0]
    return {
        **{kind: spelled_cast("cell", kind, spelling)[0] for kind in ("int", "long", "double")},
        "decimal": f"CASE WHEN ({as_number}) > '-inf' AND regexp_full_match({plain}, {literal(_DECIMAL)}) THEN 1 END",
    }


def _usual(cell: str, spelling: Spelling) -> str:
    """The number with a point and without what separates thousands."""
    plain = f"replace({cell}, {literal(spelling.thousands)}, '')" if spelling.thousands else cell
    return plain if spelling.decimal == "." else f"replace({plain}, {literal(spelling.decimal)}, '.')"


def _cast(kind: str, *, days: bool) -> str:
    if days and kind == "timestamp":
        day = "regexp_full_match(cell, '[0-9]{4}-[0-9]{2}-[0-9]{2}')"
        return strict_cast(f"(CASE WHEN {day} THEN cell || 'T00:00:00' ELSE cell END)", kind)[0]
    return strict_cast("cell", kind)[0]


def _ordering(name: str, *, days: bool) -> str:
    return "TRY_CAST(cell AS DECIMAL(38,9))" if name == "decimal" else _cast(name, days=days)


def _printed(value: str, name: str) -> str:
    text = f"CAST({value} AS VARCHAR)"
    return f"rtrim(rtrim({text}, '0'), '.')" if name == "decimal" else text
