"""The words that both definitions are made of: tasks with their time limits, retries and catches.

States carry pointers, never data: each step reads the results of the one before from the bucket and the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

State = dict[str, Any]

# Trying again cannot help: somebody has to act, or another run was faster. `sluice.errors` has the families.
FINAL_ERRORS = ("ContractError", "DataError", "StaleRunError")
# The function died or ran out of time or memory. Once more may help; five times would only cost.
SPENT_ERRORS = ("States.Timeout", "Sandbox.Timedout", "Lambda.Unknown", "Runtime.ExitError", "Runtime.OutOfMemory")
# The function never ran, because the account or the service was full: wait, and do not call it a failure of the load.
# docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
FULL_ERRORS = (
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
)
_PATIENCE = 30  # attempts at up to two minutes: 25 minutes on average, longer than any function runs
# Its own time limit ends a function. The task's is a little later: for AWS having lost sight of it.
_GRACE_SECONDS = 30
_START_OF_GLUE_SECONDS = 5400  # waiting for other runs and for workers counts for the task, not for the job


def lambda_task(function_arn: str, *, timeout: int, payload: Mapping[str, Any], catch: str, **then: Any) -> State:
    """Build a task that calls a function with `timeout` seconds and goes on to `catch` when retries are used up.

    The function's answer replaces the state's data, unless `then` holds a ResultPath; `then` also names the next state.
    """
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function_arn, "Payload": dict(payload)},
        **({} if "ResultPath" in then else {"OutputPath": "$.Payload"}),
        "TimeoutSeconds": timeout + _GRACE_SECONDS,
        "Retry": [
            {"ErrorEquals": [*FINAL_ERRORS], "MaxAttempts": 0},
            {"ErrorEquals": [*SPENT_ERRORS], "MaxAttempts": 1},
            patiently(FULL_ERRORS, attempts=_PATIENCE, seconds=2, longest=120),
            patiently(["States.ALL"], attempts=4, seconds=2),
        ],
        "Catch": caught(catch),
        **then,
    }


def glue_task(job_name: str, *, timeout: int, arguments: Mapping[str, str], catch: str, **then: Any) -> State:
    """Build a task that runs a Glue job of `timeout` seconds to its end."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::glue:startJobRun.sync",
        "Parameters": {"JobName": job_name, "Arguments": dict(arguments)},
        "TimeoutSeconds": timeout + _START_OF_GLUE_SECONDS,
        "Retry": [
            patiently(["Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"],
                      attempts=20, seconds=60),
            patiently(["Glue.AWSGlueException", "Glue.OperationTimeoutException", "Glue.ThrottlingException",
                       "Glue.InternalServiceException"], attempts=4, seconds=5),
            {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 0},
            patiently(["States.ALL"], attempts=1, seconds=30),
        ],
        "Catch": caught(catch),
        "ResultPath": None,
        **then,
    }  # fmt: skip


def athena_task(*, sql: str, database: str, workgroup: str, timeout: int, catch: str, **then: Any) -> State:
    """Build a task that runs one Athena statement to its end. `sql` is a path into the state's data."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::athena:startQueryExecution.sync",
        "Parameters": {
            "QueryString.$": sql,
            "QueryExecutionContext": {"Database": database},
            "WorkGroup": workgroup,
        },
        "TimeoutSeconds": timeout,
        "Retry": [
            # Only while nothing has begun: half a CTAS leaves files behind, so a fresh one needs a fresh place.
            patiently(["Athena.TooManyRequestsException", "Athena.InternalServerException", "Athena.AthenaException"],
                      attempts=6, seconds=5),
        ],
        "Catch": caught(catch),
        "ResultPath": None,
        **then,
    }  # fmt: skip


def patiently(errors: Sequence[str], *, attempts: int, seconds: int, longest: int = 60) -> dict[str, Any]:
    """Build a retrier whose waits double from `seconds`, spread at random so that calls which failed together part."""
    return {
        "ErrorEquals": [*errors],
        "IntervalSeconds": seconds,
        "BackoffRate": 2,
        "MaxDelaySeconds": max(longest, seconds),
        "MaxAttempts": attempts,
        "JitterStrategy": "FULL",
    }


def caught(then: str) -> list[dict[str, Any]]:
    """Build a catcher of everything that keeps the state's data and adds `error`."""
    return [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": then}]
