"""Ingest: SQS messages with S3 events become loads. Parses the batch, calls the stage, reports failed messages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sluice.contract.keys import nearest
from sluice.contract.plan import Plan
from sluice.stages.ingest import ingest
from sluice.stages.logs import stage_logger
from sluice.stages.plans import read_plans
from sluice.stages.services import services, utc_now
from sluice.stages.spending import spent_in_month
from sluice.stages.telemetry import emit

logger = stage_logger()


@cache
def plans() -> Mapping[str, Plan]:
    """Read the compiled contracts: they say which keys are data."""
    return read_plans(Path(__file__).parent / "plans")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Register the loads of an SQS batch."""
    at, now = services("raw_bucket", "ledger_table", "state_machine"), utc_now()
    with spent_in_month(at.ledger, at.meter(), name="ingest", now=now):
        done = ingest(
            [(record["messageId"], record["body"]) for record in event["Records"]],
            ledger=at.ledger,
            plans=plans(),
            raw_bucket=at.settings.raw_bucket,
            account=context.invoked_function_arn.split(":")[4],
            wake=at.waking(at.settings.state_machine, now),
            now=now,
        )
    for load in done.loads:
        logger.info("load registered", extra={"dataset": load.dataset, "load_id": load.load_id, "bytes": load.size})
    for key in done.unknown:
        near = nearest(key.partition("/")[0], plans())
        logger.warning("no dataset for this key", extra={"object_key": key, "nearest": near})
    for key in done.passed_over:
        logger.info("key passed over", extra={"object_key": key})
    for message_id, problem in done.malformed:
        logger.error("malformed event", extra={"message_id": message_id, "problem": problem})
    for problem in done.errors:
        logger.error("dataset not woken", extra={"problem": problem})
    logger.info("ingested", extra={"registered": done.registered, "known": done.known})
    emit(done.figures())
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in done.failed]}
