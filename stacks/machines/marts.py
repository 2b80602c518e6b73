"""The refresh of marts: in dependency order, each built by Athena beside the live one and swapped in. Pure data."""

from __future__ import annotations

from typing import Any

from .task import State, athena_task, lambda_task

REFRESH, DATABASE, WORKGROUP = "${Refresh}", "${Database}", "${WorkGroup}"


def marts_definition(*, timeout: int, refresh: int, query: int) -> dict[str, Any]:
    """Build the definition; all arguments are time limits in seconds.

    Input: the event TablePublished, or {"detail": {}} to refresh all marts.
    """
    return {
        "Comment": "Refresh the marts that a published table concerns",
        "StartAt": "Order",
        "TimeoutSeconds": timeout,
        "States": {
            "Order": lambda_task(
                REFRESH, timeout=refresh, payload={"op": "order", "detail.$": "$.detail"}, catch="Failed", Next="Marts"
            ),
            "Marts": {
                "Type": "Map",
                "ItemsPath": "$.marts",
                "MaxConcurrency": 1,  # a mart comes after the marts that it reads
                "ItemSelector": {"mart.$": "$$.Map.Item.Value", "because.$": "$.because"},
                "ItemProcessor": _one_mart(refresh=refresh, query=query),
                "ResultSelector": {
                    "failed.$": "States.ArrayContains($[*].failed, true)",
                    "broken.$": "$[*].mart",
                },
                "Retry": [],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Failed"}],
                "Next": "AllMarts",
            },
            "AllMarts": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.failed", "BooleanEquals": True, "Next": "MartsFailed"}],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
            "MartsFailed": {
                "Type": "Fail",
                "Error": "MartsFailed",
                "CausePath": "States.Format('Failed, their last good rows are kept: {}. Ask `sluice runs <mart>`', "
                "States.JsonToString($.broken))",
            },
            "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        },
    }


def _one_mart(*, refresh: int, query: int) -> State:
    step = {"mart.$": "$.mart", "because.$": "$.because"}
    return {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": "Prepare",
        "States": {
            "Prepare": lambda_task(
                REFRESH,
                timeout=refresh,
                payload={"op": "prepare", **step},
                catch="MartFailed",
                ResultSelector={"answer.$": "$.Payload"},
                ResultPath="$.prepared",
                Next="IsCurrent",
            ),
            "IsCurrent": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.prepared.answer.skip", "BooleanEquals": True, "Next": "MartDone"}],
                "Default": "Build",
            },
            "Build": athena_task(
                sql="$.prepared.answer.sql",
                database=DATABASE,
                workgroup=WORKGROUP,
                timeout=query,
                catch="MartFailed",
                ResultSelector={"scanned.$": "$.QueryExecution.Statistics.DataScannedInBytes"},
                ResultPath="$.built",
                Next="Swap",
            ),
            "Swap": lambda_task(
                REFRESH,
                timeout=refresh,
                payload={"op": "swap", **step, "token.$": "$.prepared.answer.token", "scanned.$": "$.built.scanned"},
                catch="MartFailed",
                ResultPath=None,
                Next="MartDone",
            ),
            "MartDone": {"Type": "Pass", "Result": {"failed": False}, "End": True},
            "MartFailed": lambda_task(
                REFRESH,
                timeout=refresh,
                payload={"op": "failed", **step, "error.$": "$.error.Error", "cause.$": "$.error.Cause"},
                catch="Told",
                ResultPath=None,
                Next="Told",
            ),
            "Told": {"Type": "Pass", "Parameters": {"failed": True, "mart.$": "$.mart"}, "End": True},
        },
    }
