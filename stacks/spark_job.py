"""The stage transform as a Glue job: Spark splits and spreads objects that do not fit a Lambda function."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

from aws_cdk import Annotations, Duration, FileAssetPackaging, Stack, Stage
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from sluice.settings import as_texts

from . import access
from .assets import Assets
from .packages import GLUE_MODULES
from .settings import Settings, WorkerType

# Units that a worker is charged as: docs.aws.amazon.com/glue/latest/dg/worker-types.html
_DPU: Mapping[WorkerType, int] = MappingProxyType({"G_1X": 1, "G_2X": 2, "G_4X": 4, "G_8X": 8})


class SparkJob(Construct):
    """A job that may read its own code and write its log, until somebody calls `allow`."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, assets: Assets) -> None:
        super().__init__(scope, construct_id)
        script = s3_assets.Asset(self, "Script", path=str(assets.glue_script))
        library = s3_assets.Asset(self, "Library", path=str(assets.glue_library))
        wheels = [self._upload(wheel) for wheel in assets.glue_wheels]
        # Not packaged, as for tests: the versions that this synth runs with. Packaged: files, so no index is asked.
        modules = [f"s3://{bucket}/{key}" for bucket, key in wheels] or [f"{n}=={version(n)}" for n in GLUE_MODULES]
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
                "--additional-python-modules": ",".join(modules),
                "--dpu": str(_DPU[settings.glue_worker] * settings.glue_workers),
                **{f"--{name}": text for name, text in as_texts(settings).items()},
            },
            max_concurrent_runs=settings.glue_concurrent_runs,
            job_run_queuing_enabled=True,  # one more waits instead of failing
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
                *(script.bucket.arn_for_objects(key) for _, key in wheels),
            ),
            # Glue 5.1 reads through S3A, which may list before it reads; AWS's own role for jobs has it, too.
            access.list_keys(script.bucket),
            # Glue makes its log groups itself, the same for all jobs of an account.
            access.allow(
                ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                Stack.of(self).format_arn(
                    service="logs", resource="log-group", resource_name="/aws-glue/jobs/*", arn_format=access.COLON
                ),
            ),
        )

        access.unseen(
            self.role,
            "Glue reads its script and libraries through S3A, which may list; offline it is given the files",
            "s3:ListBucket",
            within="cdk-",
        )

    def allow(self, *statements: iam.PolicyStatement) -> None:
        """Add statements to the job's role."""
        for statement in statements:
            self.role.add_to_policy(statement)

    def _upload(self, wheel: Path) -> tuple[str, str]:
        """Make an asset that keeps the wheel's name, which pip reads; return its bucket and key."""
        stage = Stage.of(self)
        assert stage is not None  # noqa: S101  (there is one above every construct of an app)
        shutil.copyfile(wheel, Path(stage.asset_outdir) / wheel.name)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        place = Stack.of(self).synthesizer.add_file_asset(
            packaging=FileAssetPackaging.FILE, file_name=wheel.name, source_hash=f"{digest}/{wheel.stem}"
        )
        return place.bucket_name, place.object_key
