"""Actions of AWS services for a role that no call here shows: fetch code, write logs, send traces, deliver logs.

Each list is from AWS's documentation; the source stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice.local.permissions.needs import Need
from sluice.local.principals import ACCOUNT


def for_function(function: Any, log_group: str, region: str) -> Sequence[Need]:
    """Needs of a Lambda function that runs: its log, and its trace where tracing is on.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    """
    stream = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{log_group}:log-stream:offline"
    needs = [Need(action=f"logs:{action}", resource=stream) for action in ("CreateLogStream", "PutLogEvents")]
    if (function.tracing_config or {}).get("Mode") == "Active":
        needs += _trace()
    return needs


def for_job_code(addresses: Sequence[str]) -> Sequence[Need]:
    """Needs of a Glue job before it begins: its script and its libraries."""
    return [Need(action="s3:GetObject", resource=f"arn:aws:s3:::{address[5:]}") for address in addresses]


def for_job_log(region: str) -> Sequence[Need]:
    """Needs of a Glue job that runs: log groups that Glue makes for all jobs of an account.

    https://docs.aws.amazon.com/glue/latest/dg/create-an-iam-role.html
    """
    stream = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:/aws-glue/jobs/error:log-stream:offline"
    group = f"arn:aws:logs:{region}:{ACCOUNT}:log-group:/aws-glue/jobs/error"
    return [
        Need(action="logs:CreateLogGroup", resource=f"{group}:log-stream:"),
        *(Need(action=f"logs:{action}", resource=stream) for action in ("CreateLogStream", "PutLogEvents")),
    ]


def for_trace(machine: Any) -> Sequence[Need]:
    """Needs of an execution that is traced: X-Ray says whether to sample, and takes the trace.

    https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html
    """
    if not (machine.tracingConfiguration or {}).get("enabled"):
        return []
    rules = [Need(action=f"xray:{action}", resource="*") for action in ("GetSamplingRules", "GetSamplingTargets")]
    return [*_trace(), *rules]


def for_log_delivery(machine: Any) -> Sequence[Need]:
    """Needs of Step Functions when a machine that logs is made: it lets its logs be delivered to the group.

    https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-iam-policy
    """
    if (machine.loggingConfiguration or {}).get("level", "OFF") == "OFF":
        return []
    actions = ("CreateLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies", "PutResourcePolicy")
    return [Need(action=f"logs:{action}", resource="*") for action in actions]


def _trace() -> list[Need]:
    return [Need(action=f"xray:{action}", resource="*") for action in ("PutTraceSegments", "PutTelemetryRecords")]
