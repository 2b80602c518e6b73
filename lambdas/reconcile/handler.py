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
    at, now = services("raw_bucket", "ledger_table", "state_machine"), utc_now()
    plans = read_plans(Path(__file__).parent / "plans")
    found = [
        reconcile(
            plans[dataset],
            s3=at.s3,
            raw_bucket=at.settings.raw_bucket,
            ledger=at.ledger,
            states=at.states,
            state_machine=at.settings.state_machine,
            wake=at.waking(at.settings.state_machine, now),
            now=now,
        )
        for dataset in event.get("datasets") or sorted(plans)
    ]
    for one in found:
        logger.info("reconciled", extra=asdict(one))
    missing = sum(one.registered + one.reopened for one in found)
    metrics.add_metric(name="LoadsMissing", unit=MetricUnit.Count, value=missing)
    metrics.add_metric(name="LoadsWaiting", unit=MetricUnit.Count, value=sum(one.waiting for one in found))
    metrics.add_metric(name="LoadsParked", unit=MetricUnit.Count, value=sum(one.parked for one in found))
    metrics.add_metric(name="LeasesBroken", unit=MetricUnit.Count, value=sum(bool(one.broken_lease) for one in found))
    return {"reconciled": [asdict(one) for one in found]}
