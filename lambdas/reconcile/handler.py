"""Reconcile: every quarter of an hour, all datasets. Calls the stage for each, answers with what was found."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from sluice.stages.plans import read_plans
from sluice.stages.reconcile import reconcile
from sluice.stages.services import services, utc_now

logger, metrics = Logger(), Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Compare the raw bucket with the ledger. {"datasets": [...]} narrows it down."""
    at, now = services("raw_bucket", "lake_bucket", "ledger_table", "database", "state_machine"), utc_now()
    plans = read_plans(Path(__file__).parent / "plans")
    found = [
        reconcile(
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
        for dataset in event.get("datasets") or sorted(plans)
    ]
    for one in found:
        logger.info("reconciled", extra=asdict(one))
    counts = {
        "LoadsMissing": sum(one.registered + one.reopened for one in found),
        "VersionsGone": sum(one.gone for one in found),
        "LoadsWaiting": sum(one.waiting for one in found),
        "LoadsOverdue": sum(one.overdue for one in found),
        "LoadsParked": sum(one.parked for one in found),
        "LeasesBroken": sum(one.broken_lease is not None for one in found),
        "FencesForgotten": sum(one.forgotten_fence is not None for one in found),
    }
    for name, count in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    return {"reconciled": [asdict(one) for one in found]}
