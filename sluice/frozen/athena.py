"""One statement through the Athena API, waited for. The offline AWS answers the same calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluice.errors import ContractError, TransientError

if TYPE_CHECKING:
    import boto3

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds


def asking(
    session: boto3.Session, *, database: str, workgroup: str, sleep: Callable[[float], None] = time.sleep
) -> Callable[[str], int]:
    """Return what runs a statement and answers with the bytes that it scanned.

    It raises ContractError with Athena's reason where the statement failed.
    """

    def ask(statement: str) -> int:
        athena = session.client("athena")
        started = athena.start_query_execution(
            QueryString=statement, QueryExecutionContext={"Database": database}, WorkGroup=workgroup
        )["QueryExecutionId"]
        pause = _FIRST_PAUSE
        while True:
            execution: Any = athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
            state = execution["Status"]["State"]
            if state == "SUCCEEDED":
                return int(execution.get("Statistics", {}).get("DataScannedInBytes", 0))
            if state == "CANCELLED":
                raise TransientError(f"Athena query {started} was cancelled")
            if state == "FAILED":
                reason = execution["Status"].get("StateChangeReason", "no reason given")
                raise ContractError(f"Athena refused the SELECT: {reason}", file="frozen", remedy="repair the SELECT")
            sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    return ask
