"""Gaps (moto 5.2.5): for each message that is received, moto counts all messages of the queue six times, with a clock
reading for each; for each that is sent, three times. Ten thousand waiting messages take minutes. And to delete one, it
makes a new list of the others without its lock: a message that arrives in the last moment of that is lost.

Here the retention period is read alone, and counting reads the clock once. What is counted stays the same. A message is
deleted where it is, under the lock.
"""

from __future__ import annotations

from typing import Any

from moto.core.utils import unix_time, unix_time_millis
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Queue, SQSBackend

from sluice.local.seams.patch import replace


class _Property(property):
    """A property that remembers the original."""


def install() -> None:
    """Make long queues cheap, and lose nothing of them."""
    replace(Queue, "delete_message", lambda _: _delete)
    replace(SQSBackend, "is_message_valid_based_on_retention_period", lambda _: _is_kept)
    replace(Queue, "messages", lambda _: _Property(_ready))
    replace(Queue, "approximate_number_of_messages_delayed", lambda _: _Property(_delayed))
    replace(Queue, "approximate_number_of_messages_not_visible", lambda _: _Property(_taken))


def _is_kept(self: Any, queue_name: str, message: Any) -> bool:
    until: float = self.get_queue(queue_name).message_retention_period + message.sent_timestamp / 1000
    return bool(until > unix_time())


def _ready(self: Any) -> list[Any]:
    now = unix_time_millis()
    return [message for message in self._messages if message.visible_at < now >= message.delayed_until]


def _delayed(self: Any) -> int:
    now = unix_time_millis()
    return sum(now < message.delayed_until for message in self._messages)


def _taken(self: Any) -> int:
    now = unix_time_millis()
    return sum(message.visible_at >= now for message in self._messages)


def _delete(self: Any, receipt_handle: str) -> None:
    with self._messages_lock:
        if receipt_handle in self.deleted_messages:
            return
        found = next((message for message in self._messages if message.had_receipt_handle(receipt_handle)), None)
        if found is None:
            raise ReceiptHandleIsInvalid
        self.pending_messages.discard(found)
        self.deleted_messages.update(found.all_receipt_handles)
        self._messages.remove(found)
