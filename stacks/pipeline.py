"""From pending loads to published tables: claim, transform on one of two engines, publish, settle."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from sluice.locations import RUNS, TABLES

from . import access
from .assets import Assets
from .lake import Lake
from .machine import Machine
from .machines.run import run_definition
from .settings import Settings, Stage
from .spark_job import SparkJob
from .stage_function import StageFunction


class Pipeline(Construct):
    """The run: one execution publishes one dataset's pending loads."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        lake: Lake,
        settings: Settings,
        assets: Assets,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)

        def stage(name: str, stage: Stage) -> StageFunction:
            return StageFunction(
                self, name, stage=stage, code=assets.functions[stage], settings=settings, environment=environment
            )

        self.claim = stage("Claim", "claim")
        self.transform = stage("Transform", "transform")
        self.publish = stage("Publish", "publish")
        self.settle = stage("Settle", "settle")
        self.spark = SparkJob(self, "Spark", settings=settings, assets=assets)
        self.run = Machine(
            self,
            "Run",
            definition=run_definition(
                timeout=settings.run_timeout,
                concurrency=settings.transform_concurrency,
                claim=self.claim.timeout_seconds,
                transform=self.transform.timeout_seconds,
                publish=self.publish.timeout_seconds,
                settle=self.settle.timeout_seconds,
                glue=self.spark.timeout_seconds,
            ),
            substitutions={
                "Claim": self.claim.arn,
                "Transform": self.transform.arn,
                "Publish": self.publish.arn,
                "Settle": self.settle.arn,
                "Job": self.spark.job.job_name,
                "RawBucket": lake.raw.bucket_name,
                "LakeBucket": lake.lake.bucket_name,
            },
            log_days=settings.log_days,
        )
        self._allow(lake, settings)

    def _allow(self, lake: Lake, settings: Settings) -> None:
        stack = Stack.of(self)
        self.claim.allow(
            access.list_versions(lake.raw),
            access.use_ledger(lake.ledger, "GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"),
            access.list_keys(lake.lake),
            access.read_objects(lake.lake, RUNS, TABLES),
            access.write_objects(lake.lake, RUNS, TABLES),
            access.see_database(stack, settings.database),
            access.use_tables(stack, settings.database, "GetTable", "CreateTable", "UpdateTable"),
        )
        transforming = [
            access.list_keys(lake.raw),
            access.read_versions(lake.raw),
            access.list_keys(lake.lake),
            access.read_objects(lake.lake, RUNS),
            access.write_objects(lake.lake, RUNS, TABLES),
        ]
        if settings.salt_parameter:
            transforming.append(access.read_parameter(stack, settings.salt_parameter))
        self.transform.allow(*transforming)
        self.spark.allow(*transforming)
        self.publish.allow(
            access.list_keys(lake.lake),
            access.read_objects(lake.lake, RUNS, TABLES),
            access.write_objects(lake.lake, RUNS, TABLES),
            access.see_database(stack, settings.database),
            access.use_tables(stack, settings.database, "GetTable", "UpdateTable"),
        )
        self.settle.allow(
            access.use_ledger(lake.ledger, "GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"),
            access.list_keys(lake.lake),
            access.read_objects(lake.lake, RUNS),
            access.allow(["events:PutEvents"], stack.format_arn(service="events", resource="event-bus/default")),
        )
        functions = [self.claim, self.transform, self.publish, self.settle]
        self.run.allow(
            access.allow(["lambda:InvokeFunction"], *(function.arn for function in functions)),
            access.allow(
                ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"],
                self.spark.job.job_arn,
            ),
        )
        access.unseen(
            self.run.role,
            "AWS documents them for .sync (docs.aws.amazon.com/step-functions/latest/dg/connect-glue.html): the "
            "job is stopped with its execution, and offline it is let end",
            "glue:GetJobRuns",
            "glue:BatchStopJobRun",
        )
        # A policy of its own: in the role's default one it would close a circle with the machine, which needs settle.
        iam.Policy(self, "StartNextRun", statements=[access.start_runs(self.run.machine)], roles=[self.settle.role])
