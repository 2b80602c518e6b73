"""The run: one dataset's pending loads, claimed, transformed in groups, published once, settled. Pure data."""

from __future__ import annotations

from typing import Any

from .task import State, glue_task, lambda_task

# Substituted by CloudFormation: see `SUBSTITUTIONS` for the names that a definition uses.
CLAIM, TRANSFORM, PUBLISH, SETTLE, JOB = "${Claim}", "${Transform}", "${Publish}", "${Settle}", "${Job}"
RAW_BUCKET, LAKE_BUCKET = "${RawBucket}", "${LakeBucket}"

_RUN = {"dataset.$": "$.dataset", "fence.$": "$.fence", "run_id.$": "$.run_id"}


def run_definition(
    *, timeout: int, concurrency: int, claim: int, transform: int, publish: int, settle: int, glue: int
) -> dict[str, Any]:
    """Build the definition. All arguments but `concurrency`, the groups at once, are time limits in seconds."""
    return {
        "Comment": "One run of one dataset: claim, transform, publish, settle",
        "StartAt": "Claim",
        "TimeoutSeconds": timeout,
        "States": {
            "Claim": lambda_task(CLAIM, timeout=claim, payload=_RUN, catch="SettleFailed", Next="HasWork"),
            "HasWork": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.empty", "BooleanEquals": True, "Next": "Settle"}],
                "Default": "Groups",
            },
            "Groups": _groups(concurrency=concurrency, transform=transform, glue=glue),
            "Publish": lambda_task(
                PUBLISH, timeout=publish, payload=_RUN, catch="SettleFailed", ResultPath=None, Next="Settle"
            ),
            "Settle": _settle({"outcome": "published"}, timeout=settle, catch="NotSettled", then="AllGroups"),
            "AllGroups": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.settled.failed_groups", "NumericGreaterThan": 0, "Next": "GroupsFailed"}
                ],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
            "GroupsFailed": {
                "Type": "Fail",
                "Error": "GroupsFailed",
                "Cause": "The other groups are published. The loads of the failed ones wait for the next run.",
            },
            "SettleFailed": _settle(
                {"outcome": "failed", "error.$": "$.error"}, timeout=settle, catch="NotSettled", then="Failed"
            ),
            "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
            # The lease stays taken; reconcile gives it back when it finds this execution ended.
            "NotSettled": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        },
    }  # fmt: skip


def _groups(*, concurrency: int, transform: int, glue: int) -> State:
    """Transform each group; one that fails does not hold the others back."""
    arguments = {
        "--dataset.$": "$.dataset",
        "--fence.$": "States.Format('{}', $.fence)",
        "--run_id.$": "$.run_id",
        "--group.$": "States.Format('{}', $.group)",
        "--raw_bucket": RAW_BUCKET,
        "--lake_bucket": LAKE_BUCKET,
    }
    return {
        "Type": "Map",
        "ItemsPath": "$.groups",
        "MaxConcurrency": concurrency,
        "ItemSelector": {
            **_RUN,
            "group.$": "$$.Map.Item.Value.group",
            "engine.$": "$$.Map.Item.Value.engine",
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Engine",
            "States": {
                "Engine": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.engine", "StringEquals": "glue", "Next": "TransformGlue"}],
                    "Default": "TransformLambda",
                },
                "TransformLambda": lambda_task(
                    TRANSFORM,
                    timeout=transform,
                    payload={**_RUN, "group.$": "$.group"},
                    catch="GroupFailed",
                    ResultPath=None,
                    End=True,
                ),
                "TransformGlue": glue_task(JOB, timeout=glue, arguments=arguments, catch="GroupFailed", End=True),
                "GroupFailed": {
                    "Type": "Pass",
                    "Comment": "Publish sees that the group left no result and goes on without it",
                    # Not the error: a Map gathers what all its groups end with, in 256 KiB.
                    "Result": {},
                    "End": True,
                },
            },
        },
        "ResultPath": None,
        "Retry": [],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "SettleFailed"}],
        "Next": "Publish",
    }


def _settle(said: dict[str, Any], *, timeout: int, catch: str, then: str) -> State:
    return lambda_task(
        SETTLE,
        timeout=timeout,
        # In the payload, because the function cannot know the machine that calls it: CloudFormation has no circles.
        payload={**_RUN, **said, "state_machine.$": "$$.StateMachine.Id"},
        catch=catch,
        ResultSelector={"failed_groups.$": "$.Payload.failed_groups"},
        ResultPath="$.settled",
        Next=then,
    )
