"""Iceberg field ids as DuckDB's COPY wants them, nested like the types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.contract.sql import quote

_OWN = "__duckdb_field_id"


def field_ids_option(field_ids: Mapping[str, int]) -> str:
    """Return the value of FIELD_IDS for ids by name; the name of a nested field is its path: `address.zip`,
    `tags.element`, `items.element.price`.
    """
    tree: dict[str, Any] = {}
    for name, number in field_ids.items():
        place = tree
        for part in name.split("."):
            place = place.setdefault(part, {})
        place[_OWN] = number
    return _written(tree)


def _written(tree: Mapping[str, Any]) -> str:
    parts = []
    for name, inner in tree.items():
        if name == _OWN:
            parts.append(f"{_OWN}: {inner}")
        else:
            parts.append(f"{quote(name)}: {inner[_OWN] if len(inner) == 1 else _written(inner)}")
    return f"{{{', '.join(parts)}}}"
