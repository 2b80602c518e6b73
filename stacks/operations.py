"""Alarms, their topic and the dashboard. `alarms.py` lists the alarms, `dashboard.py` lays out the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from sluice.contract.plan import Plan

from .acknowledged import acknowledge
from .alarms import AlarmSpec, alarm_specs
from .dashboard import dashboard
from .ingest import Ingest
from .maintenance import Maintenance
from .pipeline import Pipeline
from .settings import Settings
from .warehouse import Warehouse


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
        plans: Mapping[str, Plan],
        maintenance: Maintenance,
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
        acknowledge(
            self.topic,
            "A mail or a page that does not arrive is sent by SNS again; what raised the alarm stays in ALARM",
            "Serverless-SNSRedrivePolicy",
        )
        if settings.alarm_mail:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alarm_mail))
        if settings.alarm_https:
            self.topic.add_subscription(subscriptions.UrlSubscription(settings.alarm_https))

        rule = self._tell_of_failed_jobs(pipeline.spark.job.job_name, undelivered=ingest.undelivered)
        parts: dict[str, Any] = {"ingest": ingest, "pipeline": pipeline, "warehouse": warehouse, "settings": settings}
        specs = alarm_specs(**parts, maintenance=maintenance, job_failed=rule, plans=plans)
        alarms = [self._alarm(spec, settings.runbooks) for spec in specs]
        dashboard(self, "Dashboard", **parts, alarms=alarms)

    def _alarm(self, spec: AlarmSpec, runbooks: str) -> cloudwatch.Alarm:
        missing = cloudwatch.TreatMissingData
        comparison = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            spec.name,
            metric=spec.metric,
            alarm_description=f"{spec.description}. What to do: {runbooks}/{spec.page}.md",
            threshold=spec.threshold,
            comparison_operator=comparison.LESS_THAN_THRESHOLD if spec.below else comparison.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=missing.MISSING if spec.silence_tells else missing.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        if spec.silence_tells:
            # A new alarm has no data, too. It tells of silence that follows data, so it does not begin red.
            alarm.add_insufficient_data_action(actions.SnsAction(self.topic))
        return alarm

    def _tell_of_failed_jobs(self, job_name: str, *, undelivered: sqs.IQueue) -> events.Rule:
        """Glue publishes no metric of failed runs, but an event for each. The event says more than the alarm will."""
        topic = sns.Topic.from_topic_arn(
            self, "AlarmsByArn", self.topic.topic_arn
        )  # whose policy the target leaves alone
        rule = events.Rule(
            self,
            "JobFailed",
            event_pattern=events.EventPattern(
                source=["aws.glue"],
                detail_type=["Glue Job State Change"],
                detail={"jobName": [job_name], "state": ["FAILED", "TIMEOUT", "ERROR"]},
            ),
            targets=[targets.SnsTopic(topic, dead_letter_queue=undelivered)],
        )
        # The target's own statement would let rules of every account speak here.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.rule_arn}},
            )
        )
        return rule
