"""Gap (moto 5.2.5): DynamoDB `TransactWriteItems` forgets `ClientRequestToken`, and never forgets the copies of whole
tables that are its backup.

A repeated request after a lost response must answer as the first one did, not fail its own conditions; AWS remembers
the token for ten minutes, we for good. A backup of the touched items is enough to roll back; it does not grow with the
table, and goes when it is not needed.
"""

from __future__ import annotations

import copy
import threading
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from sluice.local.seams.patch import replace

_HERE = threading.local()


def install() -> None:
    """Make transactions repeatable by token, and cheap."""
    replace(DynamoHandler, "transact_write_items", _remember_tokens)
    replace(DynamoDBBackend, "transact_write_items", _note_touched)
    if "__deepcopy__" not in vars(Table):
        Table.__deepcopy__ = _backup


def _remember_tokens(transact_write_items: Any) -> Any:
    def by_token(self: Any) -> Any:
        token = self.body.get("ClientRequestToken")
        done = vars(self.dynamodb_backend).setdefault("sluice_tokens", {})
        if token is None or token not in done:
            answer = transact_write_items(self)  # a failure raises and is not remembered: AWS evaluates it anew
            if token is not None:
                done[token] = answer
            return answer
        return done[token]

    return by_token


def _note_touched(transact_write_items: Any) -> Any:
    def noting(self: Any, transact_items: list[dict[str, Any]]) -> None:
        operations = [next(iter(item.values())) for item in transact_items]
        _HERE.touched = [(op.get("TableName"), op.get("Key") or op.get("Item") or {}) for op in operations]
        try:
            transact_write_items(self, transact_items)
        finally:
            _HERE.touched = None

    return noting


def _backup(self: Any, memo: dict[int, Any]) -> Any:
    """Return a copy of the table that shares the items outside the transaction; a deep copy otherwise."""
    touched = getattr(_HERE, "touched", None)
    snapshot = object.__new__(type(self))  # moto remembers every table that is made in another way, for ever
    if touched is None:
        snapshot.__dict__ = copy.deepcopy(self.__dict__, memo)
        return snapshot
    snapshot.__dict__ = dict(self.__dict__)
    snapshot.items = copy.copy(self.items)
    copied: set[Any] = set()  # once each, however many of their items are touched
    for name, fields in touched:
        if name != self.name or self.hash_key_attr not in fields:
            continue
        hash_key = DynamoType(fields[self.hash_key_attr])
        found = self.items.get(hash_key)
        if isinstance(found, dict):
            if hash_key not in copied:
                snapshot.items[hash_key] = dict(found)
                copied.add(hash_key)
            range_key = DynamoType(fields[self.range_key_attr])
            if range_key in found:
                snapshot.items[hash_key][range_key] = copy.deepcopy(found[range_key])
        elif found is not None:
            snapshot.items[hash_key] = copy.deepcopy(found)
    return snapshot
