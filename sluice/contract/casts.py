"""Strict casts: for each type one DuckDB expression that is NULL exactly where the text is no exact value of the type.

DuckDB's TRY_CAST alone is generous: ` 12 `, `1.5`, `1e3`, `1_000` and `0x1F` are integers to it, `1.005` is a
decimal(3,2), `2024-2-1x`, `epoch` and `infinity` are dates, `+-1` and `nan` are doubles, and a cast to TIMESTAMP drops
the offset `+02:00`. So each cast is one TRY_CAST and a proof of exactness: first a cheap one that holds for texts in
the usual spelling (printing the value gives the text back; costs a quarter of a regular expression), then a regular
expression for the few others (`+5`, `007`, `1.500`). The order inside a condition matters: DuckDB computes a repeated
subexpression once only where its first use is not behind a guard.

How dates in a contract's own format are read: `formats`; local times: `zones`.
"""

from __future__ import annotations

from sluice.contract.types import decimal_parts, duckdb_type
from sluice.contract.zones import instant, localized

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
_OFFSET = "[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?"
_ZERO = "^[+-]?[0.]+([eE]|$)"
_DOUBLE = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


def strict_cast(cell: str, kind: str, *, zone: str | None = None) -> tuple[str, str]:
    """Return an expression over the VARCHAR `cell` that yields the Iceberg type `kind`, and words for it.

    `zone` is the time zone of timestamps without an offset, UTC if it is None.
    """
    if parts := decimal_parts(kind):
        return _decimal(cell, kind, parts[1]), kind
    if kind == "timestamp" and zone:
        return _local_timestamp(cell, zone), f"a timestamp like 2024-02-29T13:00:00Z, or {local_time(zone)}"
    expression, expected = {
        "string": (cell, "text"),
        "int": (_integer(cell, kind), "a whole number of 32 bits"),
        "long": (_integer(cell, kind), "a whole number of 64 bits"),
        "float": (_floating(cell, kind), "a number"),
        "double": (_floating(cell, kind), "a number"),
        "boolean": (_boolean(cell), "true or false"),
        "date": (_date(cell), "a date like 2024-02-29"),
        "timestamp": (_timestamp(cell), "a timestamp like 2024-02-29T13:00:00Z"),
        "time": (_time(cell), "a time like 13:00:00"),
    }[kind]
    return expression, expected


def local_time(zone: str) -> str:
    """Words for a text that is read in a time zone."""
    return f"a time of {zone} that its clocks show once"


def _integer(cell: str, kind: str) -> str:
    value = f"TRY_CAST({cell} AS {duckdb_type(kind)})"
    return (
        f"CASE WHEN CAST({value} AS VARCHAR) = {cell} THEN {value}"
        f" WHEN regexp_full_match({cell}, '[+-]?[0-9]+') THEN {value} END"
    )


def _decimal(cell: str, kind: str, scale: int) -> str:
    # A text that begins the printed value (`39.2` of `39.20`) has no more digits than the scale: nothing was rounded.
    value = f"TRY_CAST({cell} AS {duckdb_type(kind)})"
    shape = rf"[+-]?([0-9]+(\.[0-9]{{0,{scale}}}0*)?|\.{f'[0-9]{{1,{scale}}}0*' if scale else '0+'})"
    return (
        f"CASE WHEN starts_with(CAST({value} AS VARCHAR), {cell}) THEN {value}"
        f" WHEN regexp_full_match({cell}, '{shape}') THEN {value} END"
    )


def _floating(cell: str, kind: str) -> str:
    # Printing a double is dear, so the cheap proof excludes what TRY_CAST forgives: infinity and overflow, blanks
    # before (they sort below '-') and after, `+-1`, and underscores.
    value = f"TRY_CAST({cell} AS {duckdb_type(kind)})"
    # What is too small becomes 0, as what is too large becomes infinite: a zero must be spelled with zeros.
    return (
        f"CASE WHEN isfinite({value}) AND {value} <> 0 AND {cell} BETWEEN '-' AND ':' AND NOT contains({cell}, '_')"
        f" AND ord({cell}[-1]) > 45 THEN {value}"
        f" WHEN {value} = 0 AND NOT regexp_matches({cell}, '{_ZERO}') THEN NULL"
        f" WHEN isfinite({value}) AND regexp_full_match({cell}, '{_DOUBLE}') THEN {value} END"
    )


def _boolean(cell: str) -> str:
    return (
        f"CASE {cell} WHEN 'true' THEN true WHEN 'false' THEN false"
        f" ELSE CASE lower({cell}) WHEN 'true' THEN true WHEN 'false' THEN false END END"
    )


def _date(cell: str) -> str:
    # `infinity`, years before 1 and after 9999 print as themselves too, but not in ten characters.
    value = f"TRY_CAST({cell} AS DATE)"
    return f"CASE WHEN CAST({value} AS VARCHAR) = {cell} AND strlen({cell}) = 10 THEN {value} END"


def _time(cell: str) -> str:
    value = f"TRY_CAST({cell} AS TIME)"
    return f"CASE WHEN regexp_full_match({cell}, '{_CLOCK}') THEN {value} END"


def _timestamp(cell: str) -> str:
    # With separators and hour fixed by LIKE, TRY_CAST still forgives a blank year digit and the second `1.`.
    value = f"TRY_CAST({cell} AS TIMESTAMP)"
    hours = " OR ".join(f"{cell} LIKE '____-__-__T{tens}_:__:__Z'" for tens in "012")
    return (
        f"CASE WHEN ({hours}) AND {cell} BETWEEN '0001' AND ':' AND NOT contains({cell}, '.')"
        f" AND NOT contains({cell}, 'T24') THEN {value}"
        f" WHEN {cell} LIKE '____-__-__ __:__:__%' AND CAST({value} AS VARCHAR) = {cell} THEN {value}"
        f" WHEN {cell} >= '0001' AND regexp_full_match({cell}, '{_DATE}[T ]{_CLOCK}Z?')"
        f" THEN coalesce({value}, {_on_the_minute(cell)})"
        f" WHEN regexp_full_match({cell}, '{_DATE}[T ]{_CLOCK}{_OFFSET}') THEN {_with_offset(cell)} END"
    )


def _on_the_minute(cell: str) -> str:
    """The moment of `2024-02-29T13:00Z`, which DuckDB does not read; NULL for other texts."""
    return f"CASE WHEN {cell}[17:] = 'Z' THEN TRY_CAST({cell}[:16] AS TIMESTAMP) END"


def _with_offset(cell: str) -> str:
    """The moment of a text with an offset; with seconds, which DuckDB wants before one."""
    seconds = f"CASE WHEN {cell}[17] = ':' THEN {cell} ELSE {cell}[:16] || ':00' || {cell}[17:] END"
    return instant(f"TRY_CAST({seconds} AS TIMESTAMPTZ)")


def _local_timestamp(cell: str, zone: str) -> str:
    value = f"TRY_CAST({cell} AS TIMESTAMP)"
    return (
        f"CASE WHEN {cell} < '0001' THEN NULL"
        f" WHEN regexp_full_match({cell}, '{_DATE}[T ]{_CLOCK}') THEN {localized(value, zone)}"
        f" WHEN regexp_full_match({cell}, '{_DATE}[T ]{_CLOCK}Z') THEN coalesce({value}, {_on_the_minute(cell)})"
        f" WHEN regexp_full_match({cell}, '{_DATE}[T ]{_CLOCK}{_OFFSET}') THEN {_with_offset(cell)} END"
    )
