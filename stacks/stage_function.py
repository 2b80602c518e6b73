"""One stage as a Lambda function: its code, role, log group and environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Duration, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from sluice.metrics import namespace

from .acknowledged import acknowledge
from .logs import log_group
from .settings import Settings, Stage


class StageFunction(Construct):
    """A function that may do nothing but write its log, until somebody calls `allow`."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        code: Path,
        settings: Settings,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(scope, construct_id)
        size = settings.sizes[stage]
        self.timeout_seconds = size.timeout_seconds
        logs = log_group(self, "Logs", days=settings.log_days)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Stage {stage}",
        )
        logs.grant_write(self.role)
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_asset(str(code)),
            handler="handler.handler",
            role=self.role,
            log_group=logs,
            memory_size=size.memory_mb,
            ephemeral_storage_size=Size.mebibytes(size.disk_mb),
            timeout=Duration.seconds(size.timeout_seconds),
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "POWERTOOLS_SERVICE_NAME": stage,
                "POWERTOOLS_METRICS_NAMESPACE": namespace(settings.environment),
                "LOG_LEVEL": "INFO",
                **environment,
            },
            description=f"Stage {stage}",
        )
        acknowledge(
            self,
            "A state machine calls it and waits, or a queue or a rule does, which keeps what fails in its dead letters",
            "…-LambdaDLQ",
            "CKV_AWS_116",
        )
        acknowledge(
            self,
            "Reserving takes from the account for good. Its callers bound it: one run a dataset, few groups at once",
            "…-LambdaConcurrency",
            "CKV_AWS_115",
        )
        acknowledge(
            self,
            "The packages are locked and tested for this runtime: stacks/packages.py moves together with it",
            "AwsSolutions-L1",
            "Serverless-LambdaLatestVersion",
        )

    @property
    def arn(self) -> str:
        """The function's ARN."""
        return self.function.function_arn

    def allow(self, *statements: iam.PolicyStatement) -> None:
        """Add statements to the function's role (`stacks.access` makes them)."""
        for statement in statements:
            self.role.add_to_policy(statement)
