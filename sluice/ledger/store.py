"""The handful of DynamoDB calls that the ledger is made of, with outcomes that can be acted upon.

Nothing of loads, leases or runs here.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.conditions import Key

from sluice.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

Item = dict[str, Any]

MOST_WRITES = 100  # items in one transaction
MOST_READS = 100  # keys in one BatchGetItem
_ATTEMPTS = 9
_LONGEST = 5.0  # seconds


class Store:
    """One table with `pk` and `sk`. Safe to share between threads: only the client is used."""

    def __init__(self, table: Table, *, sleep: Callable[[float], None]) -> None:
        self._client, self._name, self._sleep = table.meta.client, table.name, sleep

    def get(self, key: Item) -> Item | None:
        """One item, read consistently."""
        return self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")

    def get_many(self, keys: Sequence[Item]) -> Iterator[Item]:
        """Read the items that exist among these keys, read consistently, in no particular order."""
        for start in range(0, len(keys), MOST_READS):
            rest: Sequence[Any] = keys[start : start + MOST_READS]
            while rest:
                answer = self._client.batch_get_item(RequestItems={self._name: {"Keys": rest, "ConsistentRead": True}})
                yield from answer["Responses"][self._name]
                unread = answer.get("UnprocessedKeys", {})
                rest = unread[self._name]["Keys"] if self._name in unread else []

    def query(
        self, partition: str, prefix: str, *, consistent: bool = False, newest_first: bool = False
    ) -> Iterator[Item]:
        """All items of a partition whose sort key starts with `prefix`, page after page."""
        asked: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": Key("pk").eq(partition) & Key("sk").begins_with(prefix),
            "ConsistentRead": consistent,
            "ScanIndexForward": not newest_first,
        }
        while True:
            answer = self._client.query(**asked)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def update(self, key: Item, expression: str, condition: str, values: Mapping[str, Any]) -> Item | None:
        """Return the item after the update, or None (and no effect) if the condition does not hold."""
        try:
            return self._client.update_item(
                TableName=self._name,
                Key=key,
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
            )["Attributes"]
        except self._client.exceptions.ConditionalCheckFailedException:
            return None

    def set(self, key: Item, expression: str, values: Mapping[str, Any]) -> None:
        """Change attributes of one item, which need not be there. Repeating it changes nothing more."""
        self._client.update_item(
            TableName=self._name, Key=key, UpdateExpression=expression, ExpressionAttributeValues=values
        )

    def add(self, key: Item, numbers: Mapping[str, Any]) -> None:
        """Add numbers to attributes that begin at 0. Repeating it adds again."""
        if not numbers:
            return
        names = {f"#{at}": name for at, name in enumerate(numbers)}
        values = {f":{at}": value for at, value in enumerate(numbers.values())}
        self._client.update_item(
            TableName=self._name,
            Key=key,
            UpdateExpression="ADD " + ", ".join(f"#{at} :{at}" for at in range(len(numbers))),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
        )

    def transact(self, writes: Sequence[Any]) -> frozenset[int]:
        """Write all or none; return the positions whose conditions failed; empty when everything was written.

        A transaction that met another one is tried again a few times, then TransientError. Conditions are judged anew
        at each try, so a repetition after a lost response finds its own effect and reports it as a failed condition:
        callers must read "condition failed" as "already so".
        """
        named: list[Any] = [
            {kind: {"TableName": self._name, **write} for kind, write in entry.items()} for entry in writes
        ]
        for attempt in range(_ATTEMPTS):
            try:
                self._client.transact_write_items(TransactItems=named)
            except self._client.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
                if failed := frozenset(at for at, code in enumerate(codes) if code == "ConditionalCheckFailed"):
                    return failed
                self._sleep(_pause(attempt, named))
            else:
                return frozenset()
        raise TransientError(f"a transaction of {len(writes)} writes was cancelled {_ATTEMPTS} times by others")


def _pause(attempt: int, writes: Sequence[Any]) -> float:
    """Return seconds to wait: doubling, and different for different writes, so that those that met once part."""
    spread = zlib.crc32(repr((attempt, writes[0])).encode()) / (1 << 32)
    longest: float = min(0.1 * 2**attempt, _LONGEST)
    return longest * (0.5 + spread / 2)
