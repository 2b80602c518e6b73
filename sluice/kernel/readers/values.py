"""Typed cells as texts: a value of a file that has types, written as a text that the column's cast is meant to judge.

A cast judges texts, because nearly all files hold texts. A file with types holds values, and a value has no spelling:
`1.0`, `1e-05` and `2024-02-29 00:00:00` are how some program prints one, and nobody wrote them. So the reader, which
still knows the type, writes the value in the spelling of the column that it goes to, if it is exactly a value of that
column; else as it prints, and the cast refuses it with those words. Which cell is typed is told along
(`Records.typed`): a contract's own date format is for texts only. Reasons: docs/adr/0020.

For Parquet in SQL, here; for workbooks, cell by cell, in `sheets`.
"""

from __future__ import annotations

from typing import Any

from sluice.contract.sql import literal, quote
from sluice.contract.types import decimal_parts

_WHOLE = {"int", "long"}
_NOISE = 1e-15  # of a double: what computing leaves behind its fifteen digits
_MOST_WHOLE = 1e37  # a whole double below it is a HUGEINT
# Stands for bytes that are no text inside a nested value; it is escaped in JSON, so no text of the file looks like it.
NO_UTF8 = "\x1d\x1eno utf-8\x1e\x1d"
_MARK = r"\u001d\u001eno utf-8\u001e\u001d"


def text_of(value: str, kind: Any, target: str) -> str:
    """Return SQL of the text of `value`, SQL of the DuckDB type `kind`, for a column of the Iceberg type `target`.

    NULL where the bytes of a text are no UTF-8: `fault_of` tells that from a missing value.
    """
    if _is_nested(kind):
        return f"CAST(to_json({_leaves(value, kind, 0)}) AS VARCHAR)"
    return _text(value, kind, target)


def fault_of(value: str, text: str, kind: Any) -> str | None:
    """Return SQL: whether `value`, whose `text_of` is given, holds a text that is no UTF-8; None if it cannot."""
    if kind.id == "blob":
        return f"{value} IS NOT NULL AND {text} IS NULL"
    return f"contains({text}, {literal(_MARK)})" if _is_nested(kind) and _has_bytes(kind) else None


def _text(value: str, kind: Any, target: str) -> str:  # noqa: PLR0911  (a type each)
    printed = f"CAST({value} AS VARCHAR)"
    parts = decimal_parts(target)
    match kind.id:
        case "blob":
            return f"TRY(decode({value}))"
        case "double" | "float" if target not in {"float", "double"}:
            number = value if kind.id == "double" else f"CAST({printed} AS DOUBLE)"
            is_whole = f"{value} = trunc({value}) AND abs({value}) < {_MOST_WHOLE}"
            whole = f"{is_whole} THEN CAST(CAST({value} AS HUGEINT) AS VARCHAR)"
            if parts is None:
                return f"CASE WHEN {whole} ELSE {printed} END"
            fixed = f"printf('%.{parts[1]}f', {number})"
            near = f"abs(TRY_CAST({fixed} AS DOUBLE) - {number}) <= abs({number}) * {_NOISE}"
            return f"CASE WHEN {whole} WHEN isfinite({value}) AND {near} THEN {fixed} ELSE {printed} END"
        case "decimal" if target in _WHOLE:
            return (
                f"CASE WHEN {value} = trunc({value}) THEN CAST(CAST({value} AS HUGEINT) AS VARCHAR) ELSE {printed} END"
            )
        case "date" if target == "timestamp":
            return f"{printed} || ' 00:00:00'"
        case "timestamp" | "timestamp_s" | "timestamp_ms" | "timestamp_ns" | "timestamp with time zone" if (
            target == "date"
        ):
            day = f"CAST({value} AS DATE)"
            return f"CASE WHEN {value} = {day} THEN CAST({day} AS VARCHAR) ELSE {printed} END"
        case _:
            return printed


def _leaves(value: str, kind: Any, depth: int) -> str:
    """SQL of a nested value with texts for its leaves; what they are cast to does not matter to a JSON text."""
    each = f"e{depth}"
    match kind.id:
        case "struct":
            members = ", ".join(
                f"{quote(name)} := {_leaves(f'struct_extract({value}, {literal(name)})', member, depth)}"
                for name, member in kind.children
            )
            return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({members}) END"
        case "list" | "array":
            element = kind.children[0][1]
            return f"list_transform({value}, lambda {each}: {_leaves(each, element, depth + 1)})"
        case "map" | "union":
            return value
        case "blob":
            return f"CASE WHEN {value} IS NOT NULL THEN coalesce(TRY(decode({value})), {literal(NO_UTF8)}) END"
        case "double" | "float":
            return _text(value, kind, "string")
        case _:
            return value if kind.id in {"boolean", "varchar"} or "int" in kind.id else f"CAST({value} AS VARCHAR)"


def _is_nested(kind: Any) -> bool:
    return kind.id in {"struct", "list", "array", "map", "union"}


def _has_bytes(kind: Any) -> bool:
    if kind.id == "blob":
        return True
    if not _is_nested(kind):
        return False
    return any(_has_bytes(child) for _, child in kind.children if not isinstance(child, int))
