"""The stateless stack: everything that moves data. Delete and deploy it again, and nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Annotations, CfnOutput, Environment, Stack
from constructs import Construct

from sluice.contract.plan import Plan
from sluice.settings import as_texts, variable

from .acknowledged import acknowledge, acknowledge_wildcards
from .assets import Assets
from .ingest import Ingest
from .lake import Lake
from .maintenance import Maintenance
from .operations import Operations
from .pipeline import Pipeline
from .settings import Settings
from .warehouse import Warehouse


class Flow(Stack):
    """Files come in through ingest, the pipeline publishes tables, the warehouse builds marts, operations watches."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        lake: Lake,
        settings: Settings,
        assets: Assets,
        plans: Mapping[str, Plan],
    ) -> None:
        place = Environment(account=settings.account, region=settings.region)
        super().__init__(scope, construct_id, env=place, description="Sluice: ingest, pipeline, warehouse, operations")
        if not settings.packaged:
            Annotations.of(self).add_warning_v2(
                "sluice:not-packaged", "The functions lack their third-party packages: do not deploy this to AWS."
            )
        environment = {
            variable("raw_bucket"): lake.raw.bucket_name,
            variable("lake_bucket"): lake.lake.bucket_name,
            variable("ledger_table"): lake.ledger.table_name,
            variable("database"): settings.database,
            variable("workgroup"): settings.name,
            **{variable(name): text for name, text in as_texts(settings).items()},
        }
        pipeline = Pipeline(self, "Pipeline", lake=lake, settings=settings, assets=assets, environment=environment)
        ingest = Ingest(
            self, "Ingest", lake=lake, run=pipeline.run, settings=settings, assets=assets, environment=environment
        )
        warehouse = Warehouse(self, "Warehouse", lake=lake, settings=settings, assets=assets, environment=environment)
        maintenance = Maintenance(
            self, "Maintenance", lake=lake, settings=settings, assets=assets, environment=environment
        )
        Operations(
            self,
            "Operations",
            ingest=ingest,
            pipeline=pipeline,
            warehouse=warehouse,
            plans=plans,
            maintenance=maintenance,
            settings=settings,
        )
        acknowledge_wildcards(self)
        acknowledge(self, "The CDK lets a resource depend on a role that it also refers to", "W3005")
        if not settings.hardened:
            _acknowledge_defaults(self)
        outputs = {
            "Database": settings.database,
            "WorkGroup": settings.name,
            "StateMachine": pipeline.run.arn,
            "MartsStateMachine": warehouse.marts.arn,
            "MaintenanceStateMachine": maintenance.machine.arn,
            "IngestQueue": ingest.queue.queue_url,
            "IngestDeadLetters": ingest.dead_letters.queue_url,
            "GlueJob": pipeline.spark.job.job_name,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)


def _acknowledge_defaults(stack: Stack) -> None:
    """Say why the default profile has no keys and no network of its own: they cost while nothing happens."""
    acknowledge(
        stack,
        "Encrypted with keys of AWS; a customer's own costs while idle and belongs to the hardened profile",
        "athena_workgroup_results_encrypted_at_rest_kms_check",
        "cloudwatch_log_group_encrypted_check",
        "CKV_AWS_158",  # log groups
        "CKV_AWS_27",  # queues
        "CKV_AWS_173",  # the functions' variables, which hold names and no secret
        "AwsSolutions-GL1",
        "AwsSolutions-GL3",  # bookmarks, which the job does not use
        "CKV_AWS_195",
        "glue_job_security_config_check",
    )
    acknowledge(
        stack,
        "Alarms cannot write to a topic with the key of AWS; with a customer's own, in the hardened profile, they can",
        "CKV_AWS_26",
    )
    acknowledge(
        stack,
        "They talk to services of AWS only, through TLS; a network of their own belongs to the hardened profile",
        "CKV_AWS_117",
        "lambda_inside_vpc_check",
    )
