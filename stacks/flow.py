"""The stateless stack: everything that moves data. Delete and deploy it again, and nothing is lost."""

from __future__ import annotations

from aws_cdk import Annotations, CfnOutput, Environment, Stack
from constructs import Construct

from stacks.assets import Assets
from stacks.ingest import Ingest
from stacks.lake import Lake
from stacks.operations import Operations
from stacks.pipeline import Pipeline
from stacks.settings import Settings
from stacks.warehouse import Warehouse


class Flow(Stack):
    """Files come in through ingest, the pipeline publishes tables, the warehouse builds marts, operations watches."""

    def __init__(self, scope: Construct, construct_id: str, *, lake: Lake, settings: Settings, assets: Assets) -> None:
        place = Environment(account=settings.account, region=settings.region)
        super().__init__(scope, construct_id, env=place, description="Sluice: ingest, pipeline, warehouse, operations")
        if not settings.packaged:
            Annotations.of(self).add_warning_v2(
                "sluice:not-packaged", "The functions lack their third-party packages: do not deploy this to AWS."
            )
        environment = {
            "SLUICE_RAW_BUCKET": lake.raw.bucket_name,
            "SLUICE_LAKE_BUCKET": lake.lake.bucket_name,
            "SLUICE_LEDGER_TABLE": lake.ledger.table_name,
            "SLUICE_DATABASE": settings.database,
            "SLUICE_WORKGROUP": settings.name,
            "SLUICE_LAMBDA_MAX_BYTES": str(settings.lambda_max_bytes),
            "SLUICE_GROUP_MAX_BYTES": str(settings.group_max_bytes),
            "SLUICE_GROUP_MAX_OBJECTS": str(settings.group_max_objects),
            "SLUICE_RUN_MAX_LOADS": str(settings.run_max_loads),
            "SLUICE_MAX_ATTEMPTS": str(settings.max_attempts),
            "SLUICE_LEASE_SECONDS": str(settings.lease_seconds),
        }
        pipeline = Pipeline(self, "Pipeline", lake=lake, settings=settings, assets=assets, environment=environment)
        ingest = Ingest(
            self, "Ingest", lake=lake, run=pipeline.run, settings=settings, assets=assets, environment=environment
        )
        warehouse = Warehouse(self, "Warehouse", lake=lake, settings=settings, assets=assets, environment=environment)
        Operations(self, "Operations", ingest=ingest, pipeline=pipeline, warehouse=warehouse, settings=settings)
        outputs = {
            "Database": settings.database,
            "WorkGroup": settings.name,
            "StateMachine": pipeline.run.arn,
            "MartsStateMachine": warehouse.marts.arn,
            "IngestQueue": ingest.queue.queue_url,
            "IngestDeadLetters": ingest.dead_letters.queue_url,
            "GlueJob": pipeline.spark.job.job_name,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
