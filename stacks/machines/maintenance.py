"""Maintenance: every table of the project, a few at once; one that fails does not hold the others back. Pure data."""

from __future__ import annotations

from typing import Any

from .task import lambda_task

MAINTAIN = "${Maintain}"
_AT_ONCE = 2


def maintenance_definition(*, timeout: int, maintain: int) -> dict[str, Any]:
    """Build the definition; both arguments are time limits in seconds. Any input will do."""
    return {
        "Comment": "Compact, expire and clean up the tables of the project",
        "StartAt": "Tables",
        "TimeoutSeconds": timeout,
        "States": {
            "Tables": lambda_task(MAINTAIN, timeout=maintain, payload={"op": "tables"}, catch="Failed", Next="Each"),
            "Each": {
                "Type": "Map",
                "ItemsPath": "$.tables",
                "MaxConcurrency": _AT_ONCE,
                "ItemSelector": {"table.$": "$$.Map.Item.Value"},
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Maintain",
                    "States": {
                        "Maintain": lambda_task(
                            MAINTAIN,
                            timeout=maintain,
                            payload={"op": "maintain", "table.$": "$.table"},
                            catch="TableFailed",
                            ResultPath=None,
                            Next="TableDone",
                        ),
                        "TableDone": {"Type": "Pass", "Result": {"failed": False}, "End": True},
                        "TableFailed": {
                            "Type": "Pass",
                            "Parameters": {"failed": True, "table.$": "$.table", "error.$": "$.error.Error"},
                            "End": True,
                        },
                    },
                },
                "ResultSelector": {"failed.$": "States.ArrayContains($[*].failed, true)"},
                "Retry": [],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Failed"}],
                "Next": "AllTables",
            },
            "AllTables": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.failed", "BooleanEquals": True, "Next": "TablesFailed"}],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
            "TablesFailed": {
                "Type": "Fail",
                "Error": "TablesFailed",
                "Cause": "Some tables were not maintained. They hold the right rows; tomorrow is another day.",
            },
            "Failed": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        },
    }
