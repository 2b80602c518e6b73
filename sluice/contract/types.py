"""Column types: from the contract's logical and physical types to Iceberg's, and from Iceberg's to DuckDB's."""

from __future__ import annotations

import json
import re
from typing import Any

from sluice.contract.model import Property
from sluice.contract.sql import quote

MAX_PRECISION = 38
_DUCKDB = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "time": "TIME",
}
_LOGICAL = {"string": "string", "boolean": "boolean", "date": "date", "timestamp": "timestamp", "time": "time"}
_PHYSICAL = {
    **dict.fromkeys(("string", "varchar", "char", "character", "character varying", "bpchar"), "string"),
    **dict.fromkeys(("text", "citext", "nchar", "nvarchar", "uuid"), "string"),
    **dict.fromkeys(("int", "integer", "int32", "int4", "mediumint", "serial", "serial4"), "int"),
    **dict.fromkeys(("smallint", "int2", "int16", "smallserial", "serial2", "tinyint"), "int"),
    **dict.fromkeys(("bigint", "int64", "int8", "long", "bigserial", "serial8"), "long"),
    **dict.fromkeys(("float", "real", "float4", "float32"), "float"),
    **dict.fromkeys(("double", "double precision", "float8", "float64"), "double"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    "date": "date",
    **dict.fromkeys(("timestamp", "timestamptz", "timestamp_ntz", "timestamp_tz", "timestamp_ltz"), "timestamp"),
    **dict.fromkeys(("timestamp with time zone", "timestamp without time zone"), "timestamp"),
    **dict.fromkeys(("timestamp with local time zone", "datetime", "datetime2", "datetimeoffset"), "timestamp"),
    **dict.fromkeys(("time", "timetz", "time with time zone", "time without time zone"), "time"),
    "money": "decimal(19,4)",  # SQL Server's, which is the wider one; PostgreSQL's has two digits behind the point
    "smallmoney": "decimal(10,4)",
}
# The standard's integer formats: the Iceberg type that holds them and, where that holds more, their range.
INTEGER_FORMATS: dict[str, tuple[str, tuple[int, int] | None]] = {
    "i8": ("int", (-(1 << 7), (1 << 7) - 1)),
    "u8": ("int", (0, (1 << 8) - 1)),
    "i16": ("int", (-(1 << 15), (1 << 15) - 1)),
    "u16": ("int", (0, (1 << 16) - 1)),
    "i32": ("int", None),
    "u32": ("long", (0, (1 << 32) - 1)),
    "i64": ("long", None),
}
_FLOAT_BITS = 24  # of the mantissa of a float, as SQL counts them
_FLOAT_FORMATS = {"f32": "float", "f64": "double"}
_FLOAT = re.compile(r"float\s*\(\s*(\d+)\s*\)")  # bits of the mantissa
_DECIMAL = re.compile(r"(?:decimal|dec|numeric|number)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_ICEBERG_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")


def duckdb_type(iceberg_type: str) -> str:
    """The DuckDB type that holds a column of an Iceberg type. Raises KeyError for a type that no plan uses."""
    if iceberg_type.startswith("{"):
        return _nested(json.loads(iceberg_type))
    if found := _ICEBERG_DECIMAL.fullmatch(iceberg_type):
        return f"DECIMAL({found[1]},{found[2]})"
    return _DUCKDB[iceberg_type]


def _nested(kind: Any) -> str:
    """The DuckDB type of a type in Iceberg's JSON form."""
    if isinstance(kind, str):
        return duckdb_type(kind)
    if kind["type"] == "list":
        return f"{_nested(kind['element'])}[]"
    members = ", ".join(f"{quote(field['name'])} {_nested(field['type'])}" for field in kind["fields"])
    return f"STRUCT({members})"


def decimal_parts(iceberg_type: str) -> tuple[int, int] | None:
    """Precision and scale of a decimal type, None for all others."""
    found = _ICEBERG_DECIMAL.fullmatch(iceberg_type)
    return (int(found[1]), int(found[2])) if found else None


def iceberg_type(item: Property) -> str:
    """The Iceberg type of a property. Raises ContractError where the contract leaves it open or asks for too much."""
    physical = _physical(item)
    match item.logical_type:
        case None if physical:
            return physical
        case None:
            raise item.source.error(
                f"property {item.name}: no logicalType, and physicalType is {item.physical_type!r}",
                "write logicalType: string, integer, number, boolean, date or timestamp",
            )
        case "integer":
            return _integer(item, physical)
        case "number":
            if item.options.format is not None:
                return _known_format(item, _FLOAT_FORMATS)
            return physical if physical and physical not in _LOGICAL.values() else "double"
        case "date" if physical in {"timestamp", "time"}:  # how v3.0, which has neither, says it
            return physical
        case logical if logical in _LOGICAL:
            return _LOGICAL[logical]
        case logical:
            raise item.source.error(
                f"property {item.name}: logicalType {logical!r} is not supported yet",
                "use string, integer, number, boolean, date, timestamp or time",
            )


def _integer(item: Property, physical: str | None) -> str:
    if item.options.format is not None:
        return _known_format(item, {name: held for name, (held, _) in INTEGER_FORMATS.items()})
    parts = decimal_parts(physical or "")
    if parts and parts[1] > 0:
        raise item.source.error(
            f"property {item.name}: logicalType integer with physicalType {item.physical_type}",
            "use logicalType number",
        )
    return physical if physical and (physical in {"int", "long"} or parts) else "int"  # i32: the standard's default


def _known_format(item: Property, known: dict[str, str]) -> str:
    form = item.options.format or ""
    if form not in known:
        raise item.source.error(
            f"property {item.name}: format {form!r} is not supported for {item.logical_type}",
            f"use one of {', '.join(known)}, or logicalType number with physicalType decimal(38,0)",
        )
    return known[form]


def _physical(item: Property) -> str | None:
    """The Iceberg type that `physicalType` names, None where it names none of ours (it is free text)."""
    text = " ".join((item.physical_type or "").lower().split())
    text = re.sub(r"\[(\d[\d, ]*)\]", r"(\1)", text)  # as some tools write a length
    if found := _DECIMAL.fullmatch(text):
        precision, scale = int(found[1]), int(found[2] or 0)
        if not (1 <= precision <= MAX_PRECISION and scale <= precision):
            raise item.source.error(
                f"property {item.name}: {item.physical_type} is out of range", "use decimal(p,s) with s <= p <= 38"
            )
        return f"decimal({precision},{scale})"
    if re.match(r"(decimal|dec|numeric)\b", text) and item.logical_type in {None, "integer", "number"}:
        remedy = "write bigint, say" if item.logical_type == "integer" else "write decimal(18,2), say"
        raise item.source.error(
            f"property {item.name}: physicalType {item.physical_type} without precision and scale", remedy
        )
    if found := _FLOAT.fullmatch(text):
        return "float" if int(found[1]) <= _FLOAT_BITS else "double"
    return _PHYSICAL.get(re.sub(r" ?\(.*\)", "", text).strip())
