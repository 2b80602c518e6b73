"""Values that stand in a contract (limits, enumerations) as exact literals of their column's type."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from sluice.contract.model import Property, Scalar
from sluice.contract.sql import literal
from sluice.contract.types import decimal_parts
from sluice.contract.zones import UTC, instant


def literal_for(item: Property, kind: str, value: Scalar) -> str:
    """The DuckDB literal of `value` for a column of the Iceberg type `kind`. Raises ContractError."""
    if kind == "string" and isinstance(value, str):
        return literal(value)
    if kind == "boolean" and isinstance(value, bool):
        return literal(value)
    if kind in {"int", "long", "float", "double"} or decimal_parts(kind):
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return literal(value)
    elif isinstance(value, str) and kind in {"date", "timestamp", "time"}:
        return _moment(item, kind, value)
    raise item.source.error(
        f"property {item.name}: {value!r} is no value of type {kind}",
        "put texts in quotes" if kind == "string" else f"write a {kind}",
    )


def _moment(item: Property, kind: str, value: str) -> str:
    try:
        if kind == "date":
            return f"DATE '{dt.date.fromisoformat(value).isoformat()}'"
        if kind == "time":
            return f"TIME '{dt.time.fromisoformat(value).isoformat()}'"
        moment = dt.datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
        elif (zone := item.options.default_timezone) and zone.lower() not in UTC:
            return f"({instant(f'timezone({literal(zone)}, {_written(moment)})')})"  # the same clock as the texts'
        return _written(moment)
    except ValueError as error:
        raise item.source.error(
            f"property {item.name}: {value!r} is no {kind}: {error}", "write it like 2024-02-29 or 2024-02-29T13:00:00Z"
        ) from error


def _written(moment: dt.datetime) -> str:
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"
