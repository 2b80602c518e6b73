"""Settle: the last step of a run. Parses the outcome, calls the stage, answers with what a Choice needs."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from sluice.stages.services import services, utc_now
from sluice.stages.settle import settle

logger, metrics = Logger(), Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Settle the run {"dataset", "fence", "run_id", "outcome", "error"?, "state_machine"}."""
    at, now = services("lake_bucket", "ledger_table"), utc_now()
    logger.append_keys(**{name: event[name] for name in ("dataset", "fence", "run_id")})
    error = event.get("error")
    done = settle(
        at.run_folder(event["dataset"], event["fence"]),
        run_id=event["run_id"],
        outcome=event["outcome"],
        error=error if error is None or isinstance(error, str) else f"{error.get('Error')}: {error.get('Cause')}",
        ledger=at.ledger,
        events=at.events,
        wake=at.waking(event["state_machine"], now),
        now=now,
    )
    logger.info("settled", extra={"state": done.state, "failed_groups": done.failed_groups, **vars(done.counts)})
    metrics.add_metric(name="RowsAccepted", unit=MetricUnit.Count, value=done.counts.rows_accepted)
    metrics.add_metric(name="RowsRejected", unit=MetricUnit.Count, value=done.counts.rows_rejected)
    metrics.add_metric(name="RunsFailed", unit=MetricUnit.Count, value=int(done.state in {"FAILED", "PARTIAL"}))
    return {"state": done.state, "failed_groups": done.failed_groups, "next_run": done.next_run}
