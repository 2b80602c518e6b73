"""Refresh: marts follow a published table. Parses the operation, calls the stage, shapes the reply."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from sluice.stages.environment import Settings
from sluice.stages.refresh import Warehouse, order, prepare, read_marts, swap
from sluice.stages.services import Services

logger = Logger()


@cache
def warehouse() -> Warehouse:
    """Make the clients of this process when the first event arrives."""
    at = Services(Settings.from_environment(os.environ).require("lake_bucket", "database"))
    return Warehouse(
        marts=read_marts(Path(__file__).parent / "marts"),
        catalog=at.catalog,
        s3=at.s3,
        database=at.settings.database,
        lake_bucket=at.settings.lake_bucket,
        sleep=at.sleep,
    )


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer {"op": "order", "detail"?}, {"op": "prepare", "mart"} or {"op": "swap", "mart", "token"}."""
    match event:
        case {"op": "order"}:
            # Without a published table, as when a new mart was deployed: all marts.
            return {"marts": order(warehouse().marts, event.get("detail", {}).get("table"))}
        case {"op": "prepare", "mart": str(mart)}:
            prepared = prepare(warehouse(), mart, attempt=context.aws_request_id)
            logger.info("prepared", extra={"mart": mart, "skip": prepared.skip, "reason": prepared.reason})
            return asdict(prepared)
        case {"op": "swap", "mart": str(mart), "token": str(token)}:
            verdict = swap(warehouse(), mart, token=token)
            logger.info("swapped", extra={"mart": mart, "token": token, "verdict": verdict})
            return {"mart": mart, "verdict": verdict}
    raise ValueError("expected op order, prepare or swap, with mart and token")
