"""Maintain: once a day, one table a call. Parses the operation, calls the stage, answers with what was done."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from sluice.stages.maintain import MaintenanceContext, MaintenanceTarget, Retention, maintain, targets
from sluice.stages.plans import read_plans
from sluice.stages.refresh import read_marts
from sluice.stages.services import services, utc_now
from sluice.stages.spending import spent_in_month
from sluice.stages.telemetry import emit

logger = Logger()


@cache
def tables() -> Sequence[MaintenanceTarget]:
    """List the tables of this deployment."""
    here = Path(__file__).parent
    marts = [mart.name for mart in read_marts(here / "marts") if mart.materialized != "view"]
    return targets(read_plans(here / "plans"), marts)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer {"op": "tables"} or {"op": "maintain", "table"}."""
    if event["op"] == "tables":
        return {"tables": [target.table for target in tables()]}
    at, now = services("lake_bucket", "ledger_table", "database"), utc_now()
    (target,) = [target for target in tables() if target.table == event["table"]]
    with (
        tempfile.TemporaryDirectory(prefix="sluice-") as scratch,
        spent_in_month(at.ledger, at.meter(), name="maintain", now=now),
    ):
        done = maintain(
            target,
            MaintenanceContext(
                catalog=at.catalog,
                s3=at.s3,
                database=at.settings.database,
                lake_bucket=at.settings.lake_bucket,
                scratch=Path(scratch),
                limits=at.settings.limits(),
                retention=Retention(
                    snapshots=timedelta(days=at.settings.snapshot_days), orphans=timedelta(days=at.settings.orphan_days)
                ),
                now=now,
                remaining=lambda: context.get_remaining_time_in_millis() / 1000,
                sleep=at.sleep,
            ),
        )
    logger.info("maintained", extra=asdict(done))
    emit(done.figures(), table=target.table)
    return asdict(done)
