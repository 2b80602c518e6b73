"""Log groups: made by the template, so that they have an end of life, and gone with their stack."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from sluice.errors import ContractError

from .acknowledged import acknowledge

_RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    120: logs.RetentionDays.FOUR_MONTHS,
    150: logs.RetentionDays.FIVE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    400: logs.RetentionDays.THIRTEEN_MONTHS,
    545: logs.RetentionDays.EIGHTEEN_MONTHS,
    731: logs.RetentionDays.TWO_YEARS,
    1096: logs.RetentionDays.THREE_YEARS,
    1827: logs.RetentionDays.FIVE_YEARS,
    2192: logs.RetentionDays.SIX_YEARS,
    2557: logs.RetentionDays.SEVEN_YEARS,
    2922: logs.RetentionDays.EIGHT_YEARS,
    3288: logs.RetentionDays.NINE_YEARS,
    3653: logs.RetentionDays.TEN_YEARS,
}


def log_group(scope: Construct, construct_id: str, *, days: int) -> logs.LogGroup:
    """Make a log group that keeps events for `days`. Raises ContractError where CloudWatch does not know the number."""
    if days not in _RETENTION:
        raise ContractError(
            f"CloudWatch keeps no log for {days} days",
            file="app.py", place="log_days", remedy="one of " + ", ".join(map(str, _RETENTION)),
        )  # fmt: skip
    group = logs.LogGroup(scope, construct_id, retention=_RETENTION[days], removal_policy=RemovalPolicy.DESTROY)
    if days < 365:  # noqa: PLR2004  (what the rule asks for)
        acknowledge(
            group,
            "Logs are for finding out what went wrong; the record of loads is the ledger, of rows the tables",
            "cloudwatch_log_group_retention_period_check",
        )
    return group
