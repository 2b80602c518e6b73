"""Queues to Lambda functions, as event source mappings say: batches, partial responses, receive counts, redrive.

Messages are received and deleted through the gateway as the function's role, which is who must be allowed to.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.sqs.models import sqs_backends

from sluice.local.pace import Pace
from sluice.local.principals import ACCOUNT, Principals
from sluice.local.seams.lambda_workers import Answer

_LOG = logging.getLogger(__name__)
_LOOK_EVERY = 0.05
_POLLERS = 2  # batches of one mapping under way at a time
_PER_RECEIVE = 10

InvokeNow = Callable[[Any, str], Answer]  # moto's function, payload


class Polling:
    """Threads that fetch messages for the mappings that are deployed."""

    def __init__(self, principals: Principals, *, invoke: InvokeNow, pace: Pace) -> None:
        self._principals, self._invoke, self._pace = principals, invoke, pace
        self._stop = threading.Event()
        self._receiving = threading.Lock()  # held while messages are received and not yet known to be served
        self._served: set[str] = set()  # ids of messages that are with a function
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to poll for every enabled mapping."""
        for mapping in self._mappings():
            for number in range(_POLLERS):
                thread = threading.Thread(
                    target=self._poll, args=(mapping,), name=f"poll-{mapping.function_name}-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """Stop polling; batches under way end by themselves."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)

    @property
    def waiting(self) -> int:
        """Messages that wait for a function or are with one."""
        return sum(len(self._queue(mapping)._messages) for mapping in self._mappings())  # noqa: SLF001

    def _mappings(self) -> Iterator[Any]:
        found = lambda_backends[ACCOUNT][self._principals.region]._event_source_mappings  # noqa: SLF001
        yield from [mapping for mapping in found.values() if mapping.enabled]

    def _queue(self, mapping: Any) -> Any:
        name = mapping.event_source_arn.rpartition(":")[2]
        return sqs_backends[ACCOUNT][self._principals.region].queues[name]

    def _poll(self, mapping: Any) -> None:
        queue = self._queue(mapping)
        while not self._stop.wait(_LOOK_EVERY):
            self._hasten(queue)
            while _visible(queue) and not self._stop.is_set():
                time.sleep(self._pace.seconds(mapping.max_batch_window or 0))
                try:
                    self._serve(mapping, queue)
                except Exception:  # noqa: BLE001  (a call failed for good: its messages come again, as on AWS)
                    _LOG.warning("polling %s failed", queue.name, exc_info=True)

    def _serve(self, mapping: Any, queue: Any) -> None:
        """Poll one batch: receive, invoke, delete messages that succeeded; the others come again."""
        function = lambda_backends[ACCOUNT][self._principals.region].get_function(mapping.function_arn)
        sqs = self._principals.client(function.role, "sqs")
        url = f"{self._principals.endpoint}/{ACCOUNT}/{queue.name}"
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])  # how much there is
        with self._receiving:
            messages = _receive(sqs, url, mapping.batch_size)
            ids = [message["MessageId"] for message in messages]
            self._served.update(ids)
        try:
            if messages:
                records = [_record(message, mapping.event_source_arn, self._principals.region) for message in messages]
                answer = self._invoke(function, json.dumps({"Records": records}))
                failed = failures(answer, ids, mapping.function_response_types or ())
                _delete(sqs, url, [message for message in messages if message["MessageId"] not in failed])
        finally:
            self._served.difference_update(ids)

    def _hasten(self, queue: Any) -> None:
        """Let messages that nobody works on come again soon; AWS waits for the whole visibility timeout."""
        soon = (time.time() + self._pace.seconds(int(queue.visibility_timeout))) * 1000
        with self._receiving:
            for message in list(queue._messages):  # noqa: SLF001
                if message.id not in self._served:
                    message.visible_at = min(message.visible_at, soon)


def _visible(queue: Any) -> bool:
    return any(message.visible and not message.delayed for message in list(queue._messages))  # noqa: SLF001


def _receive(sqs: Any, url: str, batch_size: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    while len(messages) < batch_size:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=min(_PER_RECEIVE, batch_size - len(messages)),
            MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"],
        )  # fmt: skip
        got = answer.get("Messages", [])
        messages += got
        if len(got) < _PER_RECEIVE:
            break
    return messages


def failures(answer: Answer, message_ids: Sequence[str], response_types: Sequence[str]) -> frozenset[str]:
    """The messages that come again; by Lambda's rules an error or a malformed answer fails the whole batch."""
    everything = frozenset(message_ids)
    if answer.failed:
        return everything
    if "ReportBatchItemFailures" not in response_types:
        return frozenset()
    response = json.loads(answer.payload)
    reported = response.get("batchItemFailures") if isinstance(response, dict) else None
    try:
        named = frozenset(str(item["itemIdentifier"]) for item in reported or [])
    except (TypeError, KeyError):
        return everything
    return named if named.issubset(everything) else everything


def _delete(sqs: Any, url: str, messages: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(messages), _PER_RECEIVE):
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages[start : start + _PER_RECEIVE])
        ]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)


def _record(message: Mapping[str, Any], arn: str, region: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region,
    }
