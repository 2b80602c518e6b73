"""From the raw bucket to the ledger: events as they come, and every quarter of an hour a search for lost ones."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from sluice.settings import variable

from . import access
from .acknowledged import acknowledge
from .assets import Assets
from .dead_letters import dead_letters
from .lake import Lake
from .machine import Machine
from .settings import Settings, Stage
from .stage_function import StageFunction

_RETRIES = 5  # before a message is a dead letter


class Ingest(Construct):
    """Registers loads and wakes runs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        lake: Lake,
        run: Machine,
        settings: Settings,
        assets: Assets,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)

        def stage(name: str, stage: Stage) -> StageFunction:
            return StageFunction(
                self,
                name,
                stage=stage,
                code=assets.functions[stage],
                settings=settings,
                environment={**environment, variable("state_machine"): run.arn},
            )

        self.ingest = stage("Ingest", "ingest")
        self.reconcile = stage("Reconcile", "reconcile")
        self.dead_letters = dead_letters(self, "DeadLetters")
        self.undelivered = dead_letters(self, "Undelivered")
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(6 * self.ingest.timeout_seconds + settings.ingest_window),
            retention_period=Duration.days(14),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=_RETRIES),
        )
        # Not the L2's event source: it grants more than the mapping uses.
        mapping = lambda_.EventSourceMapping(
            self,
            "Messages",
            target=self.ingest.function,
            event_source_arn=self.queue.queue_arn,
            batch_size=settings.ingest_batch,
            max_batching_window=Duration.seconds(settings.ingest_window),
            report_batch_item_failures=True,
            max_concurrency=settings.ingest_concurrency,
        )
        acknowledge(
            mapping,
            "What SQS delivers goes to the dead letters of its queue; Lambda takes no other destination for it",
            "Serverless-LambdaEventSourceMappingDestination",
        )
        self._listen(lake.raw)
        events.Rule(
            self,
            "ReconcileSchedule",
            schedule=events.Schedule.rate(Duration.minutes(settings.reconcile_minutes)),
            targets=[
                targets.LambdaFunction(
                    self.reconcile.function,
                    dead_letter_queue=self.undelivered,
                    # The next one comes soon enough.
                    max_event_age=Duration.minutes(settings.reconcile_minutes),
                    retry_attempts=2,
                )
            ],
        )
        self.ingest.allow(
            access.consume(self.queue),
            access.use_ledger(lake.ledger, "GetItem", "PutItem", "UpdateItem"),
            access.start_runs(run.machine),
        )
        self.reconcile.allow(
            access.list_versions(lake.raw),
            access.use_ledger(lake.ledger, "GetItem", "Query", "PutItem", "UpdateItem"),
            access.start_runs(run.machine),
            access.see_runs(run.machine),
            access.list_keys(lake.lake),
            access.use_tables(Stack.of(self), settings.database, "GetTable"),
        )

    def _listen(self, raw: s3.IBucket) -> None:
        events.Rule(
            self,
            "RawObjects",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created", "Object Deleted"],
                detail={"bucket": {"name": [raw.bucket_name]}},
            ),
            targets=[
                targets.SqsQueue(
                    self.queue,
                    dead_letter_queue=self.undelivered,
                    max_event_age=Duration.hours(24),
                    retry_attempts=185,
                )
            ],
        )
