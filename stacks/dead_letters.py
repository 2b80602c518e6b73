"""Queues for messages that could not be handled. Each has an alarm (`stacks.operations`)."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .acknowledged import acknowledge


def dead_letters(scope: Construct, construct_id: str) -> sqs.Queue:
    """Make a queue for messages that could not be handled. It keeps them for two weeks."""
    queue = sqs.Queue(
        scope,
        construct_id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    acknowledge(
        queue,
        "It is where the others send what they could not handle; an alarm watches it",
        "AwsSolutions-SQS3",
        "Serverless-SQSRedrivePolicy",
        "sqs_dlq_check",
    )
    return queue
