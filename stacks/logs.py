"""Log groups: made by the template, so that they have an end of life, and gone with their stack."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from .acknowledged import acknowledge

_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    3653: logs.RetentionDays.TEN_YEARS,
}


def log_group(scope: Construct, construct_id: str, *, days: int) -> logs.LogGroup:
    """Make a log group that keeps events for `days`: one of the numbers that CloudWatch knows."""
    group = logs.LogGroup(scope, construct_id, retention=_RETENTION[days], removal_policy=RemovalPolicy.DESTROY)
    if days < 365:  # noqa: PLR2004  (what the rule asks for)
        acknowledge(
            group,
            "Logs are for finding out what went wrong; the record of loads is the ledger, of rows the tables",
            "cloudwatch_log_group_retention_period_check",
        )
    return group
