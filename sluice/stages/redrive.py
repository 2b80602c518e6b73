"""Redrive: dead letters of ingest go back to its queue. Registering is idempotent, so one too many does no harm.

SQS has a task of its own for this (`start-message-move-task`), which does the same; this way works offline as well and
says what was moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_PER_CALL = 10  # SQS's own limit


@dataclass(frozen=True, kw_only=True)
class Redriven:
    """How many messages went back, and how many are still dead letters."""

    moved: int
    left: int


def redrive(sqs: SQSClient, *, dead_letters: str, queue: str, most: int) -> Redriven:
    """Move at most `most` messages; the arguments name queues by URL. A message is deleted only after it was sent."""
    moved = 0
    while moved < most:
        answer = sqs.receive_message(
            QueueUrl=dead_letters, MaxNumberOfMessages=min(_PER_CALL, most - moved), VisibilityTimeout=60
        )
        if not (messages := answer.get("Messages", [])):
            break
        for message in messages:
            sqs.send_message(QueueUrl=queue, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    counts = sqs.get_queue_attributes(
        QueueUrl=dead_letters,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return Redriven(moved=moved, left=sum(int(count) for count in counts.values()))
