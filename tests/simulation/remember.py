"""What pyiceberg computes from the same input again and again is computed once in this operating system process.

Only functions without effect are remembered, and only where nobody changes what they return.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pyiceberg.avro.file as avro
import pyiceberg.table
from pyiceberg.table.update import update_table_metadata

_MANY = 512


def install() -> None:
    """Remember schemas of Avro files by their text, readers by their schemas, metadata by the transaction's updates."""
    get_schema = avro.AvroFileHeader.get_schema

    @lru_cache(_MANY)
    def schema_of(text: str) -> Any:
        return get_schema(avro.AvroFileHeader(None, {"avro.schema": text}, None))

    avro.AvroFileHeader.get_schema = lambda self: schema_of(self.meta["avro.schema"])  # type: ignore[method-assign]
    for name in ("resolve_reader", "construct_reader", "construct_writer", "resolve_writer"):
        setattr(avro, name, _by_identity(getattr(avro, name)))

    def table_metadata(self: Any) -> Any:
        state = (self._table.metadata, self._updates)
        known = vars(self).get("_remembered")
        if known is None or any(was is not now for was, now in zip(known[0], state, strict=True)):
            known = self._remembered = (state, update_table_metadata(*state))
        return known[1]

    pyiceberg.table.Transaction.table_metadata = property(table_metadata)  # type: ignore[method-assign, assignment]


def _by_identity(compute: Any) -> Any:
    """Schemas have no cheap hash: the same object, or one with the same fields, is the same schema."""
    known: dict[Any, tuple[Any, Any]] = {}

    def remembered(*arguments: Any, **more: Any) -> Any:
        given = (*arguments, *more.values())
        key = (
            len(arguments),
            *more,
            *(id(value) if not isinstance(value, dict) else tuple(value.items()) for value in given),
        )
        found = known.get(key)
        if found is None:
            if len(known) >= _MANY:
                known.clear()
            found = known[key] = (given, compute(*arguments, **more))  # what is kept keeps its identity
        return found[1]

    return remembered
