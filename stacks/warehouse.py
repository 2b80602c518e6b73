"""Where tables are queried, and where marts are built from them whenever one is published."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_s3 as s3
from constructs import Construct

from sluice.locations import RUNS, TABLES

from . import access
from .assets import Assets
from .dead_letters import dead_letters
from .lake import Lake
from .machine import Machine
from .machines.marts import marts_definition
from .settings import Settings
from .stage_function import StageFunction

_QUERY_SECONDS = 30 * 60  # Athena's own limit for a DML statement


class Warehouse(Construct):
    """The Athena workgroup and the refresh of marts."""

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
        self.workgroup = workgroup(self, "WorkGroup", results=lake.results, settings=settings)
        self.refresh = StageFunction(
            self,
            "Refresh",
            stage="refresh",
            code=assets.functions["refresh"],
            settings=settings,
            environment=environment,
        )
        self.marts = Machine(
            self,
            "Marts",
            definition=marts_definition(
                timeout=settings.run_timeout, refresh=self.refresh.timeout_seconds, query=_QUERY_SECONDS
            ),
            substitutions={
                "Refresh": self.refresh.arn,
                "Database": settings.database,
                "WorkGroup": self.workgroup.name,
            },
            log_days=settings.log_days,
        )
        self.undelivered = dead_letters(self, "Undelivered")
        events.Rule(
            self,
            "TablePublished",
            event_pattern=events.EventPattern(
                source=["sluice"],
                detail_type=["TablePublished"],
                # Two environments may share an account, and so the default bus.
                detail={"database": [settings.database]},
            ),
            targets=[
                targets.SfnStateMachine(
                    self.marts.machine,
                    dead_letter_queue=self.undelivered,
                    max_event_age=Duration.hours(24),
                    retry_attempts=185,
                )
            ],
        )
        self._allow(lake, settings)

    def _allow(self, lake: Lake, settings: Settings) -> None:
        stack = Stack.of(self)
        self.refresh.allow(
            access.use_ledger(lake.ledger, "UpdateItem"),
            access.list_keys(lake.lake),
            access.read_objects(lake.lake, RUNS, TABLES),
            access.write_objects(lake.lake, RUNS, TABLES),
            access.see_database(stack, settings.database),
            access.use_tables(stack, settings.database, "GetTable", "CreateTable", "UpdateTable", "DeleteTable"),
        )
        # Athena acts with the rights of whoever asks: here the machine.
        self.marts.allow(
            access.allow(["lambda:InvokeFunction"], self.refresh.arn),
            access.allow(
                ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:StopQueryExecution"],
                stack.format_arn(service="athena", resource="workgroup", resource_name=self.workgroup.name),
            ),
            *access.query_catalog(stack, settings.database),
            access.use_tables(stack, settings.database, "GetTable", "CreateTable", "UpdateTable"),
            *(
                statement
                for bucket, prefix in ((lake.lake, TABLES), (lake.results, "athena/"))
                for statement in access.query(bucket, prefix)
            ),
        )
        role = self.marts.role
        access.unseen(
            role, "The query is stopped with its execution; offline it is let end", "athena:StopQueryExecution"
        )
        access.unseen(
            role,
            "Athena may commit the rows of a new Iceberg table by a call of its own; offline it is made with them",
            "glue:UpdateTable",
        )
        documented = (
            "AWS documents it for whoever queries (https://docs.aws.amazon.com/athena/latest/ug/s3-permissions.html): "
            "Athena writes large results in parts, lists and aborts its own uploads, and reads results back"
        )
        catalog = (
            "AWS documents it for whoever creates tables through Athena "
            "(https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html)"
        )
        access.unseen(role, catalog, "glue:GetDatabases", "glue:GetTables", "glue:GetPartitions")
        access.unseen(role, catalog, "glue:GetDatabase", within=":database/default")
        access.unseen(
            role,
            "AWS documents it for .sync (https://docs.aws.amazon.com/step-functions/latest/dg/connect-athena.html)",
            "athena:GetDataCatalog",
        )
        in_parts = ("s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
        access.unseen(role, documented, *in_parts)
        access.unseen(role, documented, "s3:GetBucketLocation", within="-lake-lake-")
        access.unseen(role, documented, "s3:ListBucket", "s3:GetObject", within="-lake-results-")


def workgroup(scope: Construct, construct_id: str, *, results: s3.IBucket, settings: Settings) -> athena.CfnWorkGroup:
    """Make a workgroup whose settings nobody can override, and that stops a query which reads too much."""
    group = athena.CfnWorkGroup
    return group(
        scope,
        construct_id,
        name=settings.name,
        description="Curated tables and marts",
        # Athena keeps the history of queries, and refuses to delete a workgroup that has some.
        recursive_delete_option=True,
        work_group_configuration=group.WorkGroupConfigurationProperty(
            enforce_work_group_configuration=True,
            publish_cloud_watch_metrics_enabled=True,
            bytes_scanned_cutoff_per_query=settings.athena_scan_limit_bytes,
            engine_version=group.EngineVersionProperty(selected_engine_version="Athena engine version 3"),
            result_configuration=group.ResultConfigurationProperty(
                output_location=f"s3://{results.bucket_name}/athena/",
                encryption_configuration=group.EncryptionConfigurationProperty(encryption_option="SSE_S3"),
            ),
        ),
    )
