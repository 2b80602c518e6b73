"""What columns of sample files hold, counted: for drafts of contracts. Judging the counts is `sluice.contract.infer`.

Files are read by the kernel's own readers, every column as text, and each candidate type is tried with the very cast
that a contract with that type would run: what is inferred is what will be accepted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import duckdb

from sluice.contract.casts import strict_cast
from sluice.contract.filetypes import file_type
from sluice.contract.formats import formatted_cast
from sluice.contract.infer import (
    DATE_FORMATS,
    NULL_TEXTS,
    TEXT_FORMATS,
    TIMESTAMP_FORMATS,
    Inferred,
    Profile,
    is_keyish,
    key_candidates,
)
from sluice.contract.plan import Column, Format, Plan, Reading
from sluice.contract.rules import text_format
from sluice.contract.shape import Shape, shape_of
from sluice.contract.sql import cell_names, literal
from sluice.kernel.outcome import Limits, OutputFile, SourceFile
from sluice.kernel.session import session
from sluice.kernel.transform import transform

_SAMPLE = 10_000  # rows in which a candidate must fit before it is tried on all
_FEW = 13
_MOST_KEY_COLUMNS = 3
_MOST_CANDIDATES = 12
_THIN = 20  # rows: in fewer, uniqueness alone says nothing
_ORDERED = ("int", "long", "double", "date", "timestamp", "time")


def all_text(dataset: str, names: Sequence[str], reading: Reading) -> Plan:
    """A plan that takes every column as it stands. Columns are named by number: headers may be anything."""
    cells = cell_names(names)
    columns = tuple(
        Column(name=f"c{at}", source=name, type="string", cast=cells[name]) for at, name in enumerate(names)
    )
    lenient = replace(reading, null_texts=(), missing_columns="null")
    return Plan(dataset=dataset, version="draft", mode="append", reading=lenient, columns=columns)


def read_as_text(
    sources: Sequence[SourceFile], plan: Plan, *, folder: Path, limits: Limits
) -> tuple[Sequence[OutputFile], int, Sequence[str]]:
    """Read samples under a plan of `all_text`: data files, rows that have no proper shape, refusals in words."""
    outcome = transform(sources, plan, out=folder / "text", scratch=folder / "scratch", run_id="draft", limits=limits)
    files = [file for file in outcome.files if file.kind == "data"]
    return (
        files,
        sum(load.rows_rejected for load in outcome.loads),
        [load.refused for load in outcome.loads if load.refused],
    )


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
    with session(limits=limits, scratch=folder / "scratch", directories=_folders(files)) as connection:
        profiles = []
        for at, name in enumerate(names):
            progress(f"Counting: column {at + 1} of {len(names)}")
            found = _profile(connection, files, f"c{at}", name, days=file_type(form).has_day_numbers)
            nested = file_type(form).has_nested_values and found.filled > 0
            profiles.append(replace(found, shape=_shape(connection, files, f"c{at}")) if nested else found)
        return profiles


def find_key(
    files: Sequence[OutputFile], columns: Sequence[Inferred], *, folder: Path, limits: Limits
) -> tuple[int, ...]:
    """Places of the fewest columns that together tell all rows apart; empty where none do, or too few rows to say."""
    rows = max((column.profile.rows for column in columns), default=0)
    candidates = list(key_candidates(columns))[:_MOST_CANDIDATES]
    if rows < _THIN:
        candidates = [at for at in candidates if is_keyish(columns[at])]
    with session(limits=limits, scratch=folder / "scratch", directories=_folders(files)) as connection:
        for width in range(1, _MOST_KEY_COLUMNS + 1):
            for places in combinations(candidates, width):
                room = 1
                for at in places:
                    room *= columns[at].profile.distinct
                if room >= rows and _is_key(connection, files, places, rows):
                    return tuple(sorted(places))
    return ()


def broken_columns(files: Sequence[OutputFile], *, folder: Path, limits: Limits) -> set[str]:
    """Names of the columns that rejected rows break, from files of rejects."""
    if not files:
        return set()
    with session(limits=limits, scratch=folder / "scratch", directories=_folders(files)) as connection:
        return {name for (name,) in connection.execute(f'SELECT DISTINCT "column" FROM {_scan(files)}').fetchall()}


def _is_key(
    connection: duckdb.DuckDBPyConnection, files: Sequence[OutputFile], places: Sequence[int], rows: int
) -> bool:
    names = ", ".join(f"c{at}" for at in places)
    for source, most in ((f"(FROM {_scan(files)} LIMIT {_SAMPLE})", min(rows, _SAMPLE)), (_scan(files), rows)):
        query = f"SELECT count(*) FROM (SELECT DISTINCT {names} FROM {source})"
        (distinct,) = connection.execute(query).fetchone() or (0,)
        if distinct < most:
            return False
    return True


def _profile(
    connection: duckdb.DuckDBPyConnection, files: Sequence[OutputFile], column: str, source: str, *, days: bool
) -> Profile:
    """Count one column. `days`: a day may stand for its first moment, as in workbooks."""
    listed = ", ".join(literal(text) for text in NULL_TEXTS)
    cells = f"(SELECT CASE WHEN {column} NOT IN ('', {listed}) THEN {column} END AS cell FROM {_scan(files)})"
    casts = _casts(days=days)
    misfits = _misfits(connection, f"(FROM {cells} LIMIT {_SAMPLE})", casts)
    left = {name: casts[name] for name, count in misfits.items() if count == 0}
    misfits |= _misfits(connection, cells, left)
    ordered = [name for name in (*_ORDERED, "decimal") if misfits.get(name) == 0]
    bounds = [_printed(f"{edge}({_ordering(name, days=days)})", name) for name in ordered for edge in ("min", "max")]
    row = (
        connection.execute(f"""
    SELECT
        count(cell), count(DISTINCT cell), coalesce(min(length(cell)), 0), coalesce(max(length(cell)), 0),
        count(*) FILTER (WHERE regexp_full_match(cell, '[+-]?0[0-9]+')),
        coalesce(max(length(regexp_extract(cell, '^[+-]?0*([0-9]*)', 1))), 0),
        coalesce(max(length(regexp_extract(cell, '[.]([0-9]*)$', 1))), 0) {"".join(f", {bound}" for bound in bounds)}
    FROM {cells}""").fetchone()
        or ()
    )
    _, distinct, shortest, longest, zero_led, digits, scale, *edges = row
    blanks = "SELECT count(*), count(*) FILTER (WHERE coalesce({0}, '') = '') FROM {1}"
    rows, missing = connection.execute(blanks.format(column, _scan(files))).fetchone() or (0, 0)
    nulls = f"SELECT {column}, count(*) FROM {_scan(files)} WHERE {column} IN ({listed}) GROUP BY ALL ORDER BY ALL"
    values: list[str] = []
    if 0 < distinct < _FEW:
        values = [value for (value,) in connection.execute(
            f"SELECT DISTINCT {column} FROM {_scan(files)} WHERE {column} <> '' ORDER BY ALL"
        ).fetchall()]  # fmt: skip
    return Profile(
        source=source, rows=rows, missing=missing, nulls=dict(connection.execute(nulls).fetchall()), distinct=distinct,
        shortest=shortest, longest=longest, zero_led=zero_led, whole_digits=digits, scale=scale, misfits=misfits,
        least=dict(zip(ordered, edges[::2], strict=True)), greatest=dict(zip(ordered, edges[1::2], strict=True)),
        values=values,
    )  # fmt: skip


def _misfits(connection: duckdb.DuckDBPyConnection, cells: str, casts: Mapping[str, str]) -> dict[str, int]:
    """For each cast the number of cells that it cannot read."""
    if not casts:
        return {}
    counts = ", ".join(f"count(*) FILTER (WHERE cell IS NOT NULL AND ({cast}) IS NULL)" for cast in casts.values())
    row = connection.execute(f"SELECT {counts} FROM {cells}").fetchone() or ()
    return dict(zip(casts, row, strict=True))


def _shape(connection: duckdb.DuckDBPyConnection, files: Sequence[OutputFile], column: str) -> Shape | None:
    """The shape of a column of which each cell is an object, or each an array, in JSON."""
    listed = ", ".join(literal(text) for text in ("", *NULL_TEXTS))
    cells = f"(SELECT {column} AS cell FROM {_scan(files)} WHERE {column} NOT IN ({listed}))"
    query = f"SELECT count(*) FILTER (WHERE cell[1] NOT IN ('{{', '[') OR NOT json_valid(cell)) FROM {cells}"
    if connection.execute(query).fetchone() != (0,):
        return None
    (structure,) = connection.execute(f"SELECT json_group_structure(CAST(cell AS JSON)) FROM {cells}").fetchone() or (
        "null",
    )
    return shape_of(json.loads(structure))


def _casts(*, days: bool) -> Mapping[str, str]:
    """Candidates, each with an expression over `cell` that is NULL where the cell is no such value."""
    kinds = ("boolean", *_ORDERED)
    return {
        **{kind: _cast(kind, days=days) for kind in kinds},
        "decimal": r"CASE WHEN regexp_full_match(cell, '[+-]?[0-9]+([.][0-9]+)?') THEN 1 END",
        **{f"date {form}": formatted_cast("cell", "date", form) for form in DATE_FORMATS},
        **{f"timestamp {form}": formatted_cast("cell", "timestamp", form) for form in TIMESTAMP_FORMATS},
        **{f"text {form}": f"CASE WHEN {text_format('cell', form)} THEN 1 END" for form in TEXT_FORMATS},
    }


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


def _folders(files: Sequence[OutputFile]) -> set[Path]:
    return {file.path.parent for file in files}


def _scan(files: Sequence[OutputFile]) -> str:
    return f"read_parquet([{', '.join(literal(str(file.path)) for file in files)}], hive_partitioning = false)"
