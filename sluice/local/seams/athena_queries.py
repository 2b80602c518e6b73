"""Gap (moto 5.2.5): Athena queries are not executed, and results have no column types, errors or statistics.

With this seam a started query is handed to a runner, which answers with a `QueryOutcome`; states, the result file in
the output location and `GetQueryResults` come from it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.athena.models import AthenaBackend, athena_backends
from moto.athena.responses import AthenaResponse

from sluice.local.principals import ACCOUNT
from sluice.local.seams.patch import replace

_PAGE = 1000
_RUNNING = [("RUNNING", "RUNNING")]


@dataclass(frozen=True, kw_only=True)
class QueryOutcome:
    """How a query ended. Cells are text as Athena prints it, None for NULL. `error` is empty on success."""

    columns: Sequence[tuple[str, str]] = ()  # name, Athena type
    rows: Sequence[Sequence[str | None]] = ()
    error: str = ""
    statement: str = "DML"
    scanned: int = 0  # bytes


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query that somebody started."""

    sql: str
    database: str
    output: str  # s3:// address of the result file
    access_key: str  # whose


Start = Callable[[Query, Callable[[QueryOutcome], None]], None]


def install(start: Start) -> None:
    """Hand each query to `start`, which returns at once and calls back with the outcome when there is one."""
    replace(AthenaBackend, "start_query_execution", _started_by)
    replace(AthenaResponse, "start_query_execution", lambda original: _handed_on(original, start))
    replace(AthenaResponse, "get_query_execution", _with_outcome)
    replace(AthenaResponse, "get_query_results", lambda _original: _results)


def workgroup_of(region: str) -> Callable[[str], str]:
    """Make the question in which workgroup a query runs. An unknown one might be in any."""

    def of(query_id: str) -> str:
        found = athena_backends[ACCOUNT][region].executions.get(query_id)
        return str(getattr(found.workgroup, "name", "primary")) if found else "*"

    return of


def _started_by(start_query_execution: Any) -> Any:
    def begin(self: Any, *, config: Any, workgroup: Any, **arguments: Any) -> Any:
        group = self.work_groups.get(workgroup or "primary")
        settings = group.configuration if group else {}
        if settings.get("EnforceWorkGroupConfiguration") or not (config or {}).get("OutputLocation"):
            config = settings.get("ResultConfiguration")
        found = start_query_execution(self, config=dict(config or {}), workgroup=workgroup, **arguments)
        self.executions[found]._transitions = _RUNNING  # noqa: SLF001  (its state is ours to set now)
        self.executions[found].status = "RUNNING"
        return found

    return begin


def _handed_on(start_query_execution: Any, start: Start) -> Any:
    def begin(self: Any) -> Any:
        answer = start_query_execution(self)
        if isinstance(answer, str):
            execution = self.athena_backend.executions[json.loads(answer)["QueryExecutionId"]]

            def finish(outcome: QueryOutcome) -> None:
                if execution.status == "RUNNING":  # not cancelled meanwhile
                    execution.sluice_outcome, execution.end_time = outcome, time.time()
                    execution.status = "FAILED" if outcome.error else "SUCCEEDED"

            query = Query(
                sql=execution.query,
                database=(execution.context or {}).get("Database", "default"),
                output=execution.config.get("OutputLocation", ""),
                access_key=self.access_key,
            )
            start(query, finish)
        return answer

    return begin


def _with_outcome(get_query_execution: Any) -> Any:
    def describe(self: Any) -> Any:
        execution = self.athena_backend.executions.get(self._get_param("QueryExecutionId"))
        if execution is None:
            return self.error("QueryExecution was not found", 400)
        answer: dict[str, Any] = json.loads(get_query_execution(self))
        described, outcome = answer["QueryExecution"], getattr(execution, "sluice_outcome", QueryOutcome())
        milliseconds = round((execution.end_time - execution.start_time) * 1000)
        described["Statistics"] |= {
            "DataScannedInBytes": outcome.scanned,
            "EngineExecutionTimeInMillis": milliseconds,
            "TotalExecutionTimeInMillis": milliseconds,
        }
        described["StatementType"] = outcome.statement
        if outcome.error:
            described["Status"]["StateChangeReason"] = outcome.error
            described["Status"]["AthenaError"] = {"ErrorCategory": 2, "ErrorMessage": outcome.error, "Retryable": False}
        if execution.status == "RUNNING":
            described["Status"].pop("CompletionDateTime")
        return json.dumps(answer)

    return describe


def _results(self: Any) -> Any:
    execution = self.athena_backend.executions.get(self._get_param("QueryExecutionId"))
    if execution is None or execution.status != "SUCCEEDED":
        state = execution.status if execution else "unknown"
        return self.error(f"Query has not yet finished or failed. Current state: {state}", 400)
    outcome: QueryOutcome = execution.sluice_outcome
    header = [[name for name, _ in outcome.columns]] if outcome.columns else []
    rows = [*header, *outcome.rows]
    first = int(self._get_param("NextToken") or 0)
    after = first + int(self._get_param("MaxResults") or _PAGE)
    cells = [[{} if cell is None else {"VarCharValue": cell} for cell in row] for row in rows[first:after]]
    answer: dict[str, Any] = {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [{"Data": row} for row in cells],
            "ResultSetMetadata": {"ColumnInfo": [_column(name, kind) for name, kind in outcome.columns]},
        },
    }
    return json.dumps({**answer, "NextToken": str(after)} if after < len(rows) else answer)


def _column(name: str, kind: str) -> Mapping[str, Any]:
    base, _, arguments = kind.partition("(")
    numbers = [int(part) for part in arguments.rstrip(")").split(",")] if base == "decimal" and arguments else [0, 0]
    return {
        "CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": name, "Label": name, "Type": base,
        "Precision": numbers[0], "Scale": numbers[1], "Nullable": "UNKNOWN", "CaseSensitive": base == "varchar",
    }  # fmt: skip
