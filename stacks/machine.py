"""A Standard state machine from a definition in plain data, with its own role, log and trace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from . import access
from .acknowledged import acknowledge
from .logs import log_group


class Machine(Construct):
    """May call exactly the functions and services that its owner allows."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        definition: Mapping[str, Any],
        substitutions: Mapping[str, str],
        log_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_string(json.dumps(definition, indent=1)),
            definition_substitutions=substitutions,
            role=self.role,
            # Errors only: histories hold the rest for 90 days at no cost. No data: it may be personal.
            logs=sfn.LogOptions(
                destination=log_group(self, "Logs", days=log_days),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
            tracing_enabled=True,
        )
        acknowledge(
            self.machine, "Errors only: the history of an execution holds all events for 90 days", "AwsSolutions-SF1"
        )

        access.unseen(
            self.role,
            "AWS documents them for machines that log (docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html): "
            "a delivery is looked up, changed and removed when the machine is updated or deleted, never offline",
            "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:ListLogDeliveries",
        )  # fmt: skip

    @property
    def arn(self) -> str:
        """The machine's ARN."""
        return self.machine.state_machine_arn

    def allow(self, *statements: iam.PolicyStatement) -> None:
        """Add statements to the machine's role."""
        for statement in statements:
            self.role.add_to_policy(statement)
