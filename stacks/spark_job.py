"""The stage transform as a Glue job: what does not fit a Lambda function is split and spread by Spark."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType

from aws_cdk import Annotations, Duration, Stack
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from stacks import access
from stacks.assets import Assets
from stacks.settings import Settings, WorkerType

# What the kernel needs beyond Glue's own packages, in the versions that this synth runs with and the tests ran with.
_MODULES = ("duckdb", "openpyxl", "zstandard")
# Units that a worker is charged as: docs.aws.amazon.com/glue/latest/dg/worker-types.html
_DPU: Mapping[WorkerType, int] = MappingProxyType({"G_1X": 1, "G_2X": 2, "G_4X": 4, "G_8X": 8})


class SparkJob(Construct):
    """A job that may read its own code and write its log, until somebody calls `allow`."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, assets: Assets) -> None:
        super().__init__(scope, construct_id)
        script = s3_assets.Asset(self, "Script", path=str(assets.glue_script))
        library = s3_assets.Asset(self, "Library", path=str(assets.glue_library))
        self.timeout_seconds = settings.glue_timeout_minutes * 60
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("glue.amazonaws.com"),
            description="Stage transform on Glue",
        )
        self.job = glue.PySparkEtlJob(
            self,
            "Job",
            # Without the L2's own grants: it would let the job read all assets of the account.
            role=self.role.without_policy_updates(),
            script=glue.Code.from_bucket(script.bucket, script.s3_object_key),
            extra_python_files=[glue.Code.from_bucket(library.bucket, library.s3_object_key)],
            glue_version=glue.GlueVersion.V5_1,
            worker_configuration=glue.WorkerConfiguration(
                worker_type=glue.WorkerType[settings.glue_worker], number_of_workers=settings.glue_workers
            ),
            default_arguments={
                "--additional-python-modules": ",".join(f"{name}=={version(name)}" for name in _MODULES),
                "--dpu": str(_DPU[settings.glue_worker] * settings.glue_workers),
                **({"--salt_parameter": settings.salt_parameter} if settings.salt_parameter else {}),
            },
            max_concurrent_runs=settings.glue_concurrent_runs,
            max_retries=0,  # the state machine retries; two layers of it would multiply
            timeout=Duration.minutes(settings.glue_timeout_minutes),
            # Paid for by the metric, and the run's own record tells what it did.
            enable_metrics=False,
            enable_observability_metrics=False,
            description="Stage transform, for objects that do not fit a Lambda function",
        )
        Annotations.of(self.job).acknowledge_warning(
            "@aws-cdk/aws-glue-alpha:unencryptedContinuousLogging", "Logs hold no row values; CloudWatch encrypts them."
        )
        self.allow(
            access.allow(
                ["s3:GetObject"],
                *(asset.bucket.arn_for_objects(asset.s3_object_key) for asset in (script, library)),
            ),
            # Glue makes its log groups itself, the same for all jobs of an account.
            access.allow(
                ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                Stack.of(self).format_arn(
                    service="logs", resource="log-group", resource_name="/aws-glue/jobs/*", arn_format=access.COLON
                ),
            ),
        )

    def allow(self, *statements: iam.PolicyStatement) -> None:
        """Widen what the job may do."""
        for statement in statements:
            self.role.add_to_policy(statement)
