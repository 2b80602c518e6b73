"""Trino's REST protocol, and its JSON values as Python values with Athena's names of types."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

_PATIENCE_SECONDS = 60


class TrinoError(Exception):
    """Trino refused a statement. `name` is Trino's own: SYNTAX_ERROR, COLUMN_NOT_FOUND, ..."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(f"{name}: {message}")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Columns with Trino's types as text, and rows of Python values."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[Any, ...]]
    scanned: int = 0  # bytes


@dataclass(frozen=True, kw_only=True)
class Trino:
    """A running server, asked as one user in one schema. Times are in UTC."""

    port: int
    catalog: str
    schema: str

    def is_ready(self) -> bool:
        """Tell whether it takes queries."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/info", timeout=1) as answer:
                if json.load(answer).get("starting", True):
                    return False
            self.ask("SELECT 1")
        except (OSError, TrinoError):
            return False
        return True

    def ask(self, sql: str, *, schema: str = "") -> Answer:
        """Run one statement to its end. Raises TrinoError where Trino refuses it."""
        headers = {
            "X-Trino-User": "athena",
            "X-Trino-Catalog": self.catalog,
            "X-Trino-Schema": schema or self.schema,
            "X-Trino-Time-Zone": "UTC",
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",  # otherwise times are rounded to milliseconds
        }
        request: Any = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/statement", sql.encode(), headers)
        columns: Sequence[Mapping[str, Any]] = ()
        rows: list[Sequence[Any]] = []
        while request:
            with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as reply:  # noqa: S310  # nosec B310 (loopback)
                answer = json.load(reply)
            if "error" in answer:
                raise TrinoError(answer["error"]["errorName"], answer["error"]["message"])
            columns = answer.get("columns") or columns
            rows += answer.get("data") or []
            request = answer.get("nextUri")
        kinds = [column["typeSignature"] for column in columns]
        return Answer(
            columns=[(column["name"], column["type"]) for column in columns],
            rows=[tuple(python_value(cell, kind) for cell, kind in zip(row, kinds, strict=True)) for row in rows],
            scanned=int(answer.get("stats", {}).get("physicalInputBytes", 0)),
        )


def python_value(value: Any, kind: Mapping[str, Any]) -> Any:  # noqa: C901, PLR0911  (one case a type)
    """Read a JSON value by Trino's signature of its type."""
    if value is None:
        return None
    inner = [argument["value"] for argument in kind.get("arguments", ())]
    match kind["rawType"]:
        case "decimal":
            return Decimal(value)
        case "double" | "real":
            return float(value)
        case "date":
            return _date(value)
        case "timestamp":
            return _timestamp(value)
        case "time":
            return time.fromisoformat(value[:15])
        case "varbinary":
            return base64.b64decode(value)
        case "array":
            return [python_value(item, inner[0]) for item in value]
        case "map":
            return {key: python_value(item, inner[1]) for key, item in value.items()}
        case "row":
            fields = [one.get("fieldName", {}).get("name") or f"field{at}" for at, one in enumerate(inner)]
            kinds = [one["typeSignature"] for one in inner]
            return {name: python_value(item, of) for name, item, of in zip(fields, value, kinds, strict=True)}
        case _:
            return value


def _date(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:  # Python knows the years 1 to 9999 only
        return text


def _timestamp(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text[:26])
    except ValueError:
        return text
