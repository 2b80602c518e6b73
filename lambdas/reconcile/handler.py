"""Reconcile: every quarter of an hour, all datasets. Calls the stage for each, answers with what was found."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sluice.errors import TransientError
from sluice.stages.logs import stage_logger
from sluice.stages.plans import read_plans
from sluice.stages.reconcile import Reconciled, in_turn, reconcile
from sluice.stages.services import services, utc_now
from sluice.stages.spending import spent_in_month
from sluice.stages.telemetry import emit

logger = stage_logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Compare the raw bucket with the ledger. {"datasets": [...]} narrows it down."""
    at, now = services("raw_bucket", "lake_bucket", "ledger_table", "database", "state_machine"), utc_now()
    plans = read_plans(Path(__file__).parent / "plans")
    found: list[Reconciled] = []
    failed: list[str] = []
    with spent_in_month(at.ledger, at.meter(), name="reconcile", now=now):
        for dataset in event.get("datasets") or in_turn(sorted(plans), now):
            try:
                one = reconcile(
                    plans[dataset],
                    s3=at.s3,
                    glue=at.glue,
                    raw_bucket=at.settings.raw_bucket,
                    lake_bucket=at.settings.lake_bucket,
                    database=at.settings.database,
                    ledger=at.ledger,
                    states=at.states,
                    state_machine=at.settings.state_machine,
                    wake=at.waking(at.settings.state_machine, now),
                    now=now,
                    lease_seconds=at.settings.lease_seconds,
                )
            except Exception:
                # The others must not wait for this one; the invocation fails in the end, and its alarm rises.
                logger.exception("not reconciled", extra={"dataset": dataset})
                failed.append(dataset)
                continue
            logger.info("reconciled", extra=asdict(one))
            emit(one.figures(plans[dataset]), dataset=dataset)
            found.append(one)
    if failed:
        raise TransientError(f"not reconciled: {', '.join(failed)}; reconciled: {len(found)} datasets")
    return {"reconciled": [asdict(one) for one in found]}
