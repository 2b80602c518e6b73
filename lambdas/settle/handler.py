"""Settle: the last step of a run. Parses the outcome, calls the stage, answers with what a Choice needs."""

from __future__ import annotations

from typing import Any

from sluice.stages.logs import stage_logger
from sluice.stages.services import services, utc_now
from sluice.stages.settle import settle
from sluice.stages.telemetry import emit

logger = stage_logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Settle the run {"dataset", "fence", "run_id", "outcome", "error"?, "state_machine"}."""
    at, now = services("lake_bucket", "ledger_table", "database"), utc_now()
    run = {name: event[name] for name in ("dataset", "fence", "run_id")}
    logger.append_keys(**run)
    folder, meter, error = at.run_folder(event["dataset"], event["fence"]), at.meter(), event.get("error")
    done = settle(
        folder,
        run_id=event["run_id"],
        outcome=event["outcome"],
        error=error if error is None or isinstance(error, str) else f"{error.get('Error')}: {error.get('Cause')}",
        ledger=at.ledger,
        events=at.events,
        database=at.settings.database,
        wake=at.waking(event["state_machine"], now),
        now=now,
        spent=lambda: folder.spent() + meter.usage(),
    )
    for load in done.loads:
        logger.info("load settled", extra={"load_id": load.load_id, "state": load.state, **vars(load.counts)})
    for load_id, warning in done.warnings:
        logger.warning("data breaks what warns", extra={"load_id": load_id, **vars(warning)})
    logger.info("settled", extra={"state": done.state, "failed_groups": done.failed_groups, **vars(done.counts)})
    emit(done.figures, **run)
    return {"state": done.state, "failed_groups": done.failed_groups, "next_run": done.next_run}
