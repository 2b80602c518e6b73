"""What people are told, and what they look at. Alarms watch symptoms: an error that a retry mended wakes nobody."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.dashboard import dashboard
from stacks.ingest import Ingest
from stacks.pipeline import Pipeline
from stacks.settings import Settings
from stacks.warehouse import Warehouse

_PERIOD = Duration.minutes(5)


class Operations(Construct):
    """The alarms, the topic that they tell, and one dashboard."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        ingest: Ingest,
        pipeline: Pipeline,
        warehouse: Warehouse,
        settings: Settings,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Alarms", enforce_ssl=True)
        # A topic with a policy of its own no longer takes in what CloudWatch sends.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if settings.alarm_mail:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_mail))

        self._alarm(
            "DeadLetters",
            ingest.dead_letters.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic="Maximum"),
            "Events that ingest could not read or register",
        )
        for name, queue in (("Ingest", ingest.undelivered), ("Marts", warehouse.undelivered)):
            self._alarm(
                f"{name}Undelivered",
                queue.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic="Maximum"),
                "Events that EventBridge could not deliver",
            )
        self._alarm(
            "QueueAge",
            ingest.queue.metric_approximate_age_of_oldest_message(period=_PERIOD, statistic="Maximum"),
            "Uploads wait for ingest (seconds)",
            above=settings.queue_age_alarm,
        )
        # The stages of a run and of marts are watched through their machines, which retry. Nobody retries these two.
        for stage in (ingest.ingest, ingest.reconcile):
            name, function = stage.node.id, stage.function
            self._alarm(f"{name}Errors", function.metric_errors(period=_PERIOD), f"{name} fails")
            self._alarm(f"{name}Throttles", function.metric_throttles(period=_PERIOD), f"{name} is held back")
        for name, machine in (("Run", pipeline.run.machine), ("Marts", warehouse.marts.machine)):
            self._alarm(f"{name}Failed", machine.metric_failed(period=_PERIOD), f"{name} failed, wholly or in part")
            self._alarm(f"{name}TimedOut", machine.metric_timed_out(period=_PERIOD), f"{name} took too long")
        self._tell_of_failed_jobs(pipeline.spark.job.job_name, undelivered=ingest.undelivered)
        dashboard(self, "Dashboard", ingest=ingest, pipeline=pipeline, warehouse=warehouse, settings=settings)

    def _alarm(self, name: str, metric: cloudwatch.IMetric, description: str, *, above: int = 0) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            alarm_description=description,
            threshold=above,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))

    def _tell_of_failed_jobs(self, job_name: str, *, undelivered: sqs.IQueue) -> None:
        """Glue publishes no metric of failed runs, but an event for each."""
        events.Rule(
            self,
            "JobFailed",
            event_pattern=events.EventPattern(
                source=["aws.glue"],
                detail_type=["Glue Job State Change"],
                detail={"jobName": [job_name], "state": ["FAILED", "TIMEOUT", "ERROR"]},
            ),
            targets=[targets.SnsTopic(self.topic, dead_letter_queue=undelivered)],
        )
