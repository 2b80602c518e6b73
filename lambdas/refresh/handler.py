"""Refresh: marts follow a published table. Parses the operation, calls the stage, shapes the reply."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from sluice.ledger.model import MartOutcome
from sluice.metrics import MART_DOLLARS
from sluice.prices import Usage, billed_bytes, total
from sluice.stages.logs import stage_logger
from sluice.stages.refresh import CURRENT, MartContext, order, prepare, read_marts, swap
from sluice.stages.services import services, utc_now
from sluice.stages.spending import spent_in_month
from sluice.stages.telemetry import emit
from sluice.warehouse.failure import located, reason_of

logger = stage_logger()


@cache
def warehouse() -> MartContext:
    """Make the clients of this process when the first event arrives."""
    at = services("lake_bucket", "database", "ledger_table")
    return MartContext(
        marts=read_marts(Path(__file__).parent / "marts"),
        catalog=at.catalog,
        s3=at.s3,
        database=at.settings.database,
        lake_bucket=at.settings.lake_bucket,
        sleep=at.sleep,
    )


def spending(mart: str, *, transitions: int, scanned: int = 0) -> AbstractContextManager[None]:
    """Keep what the block costs with the mart's sum of this month; `scanned` bytes were read by its query."""
    at = services("lake_bucket", "database", "ledger_table")
    return spent_in_month(
        at.ledger,
        at.meter(),
        name=mart,
        now=utc_now(),
        extra=Usage(transitions=transitions, bytes_scanned=billed_bytes(scanned)),
        told=lambda usage: emit({MART_DOLLARS: total(usage)}, mart=mart),
    )


def note(event: dict[str, Any], outcome: MartOutcome, reason: str = "") -> None:
    """Remember what became of the mart, and which publication it answers."""
    because = event.get("because", {})
    services("lake_bucket", "database", "ledger_table").ledger.note_mart(
        event["mart"],
        outcome,
        reason=reason,
        seen=(because["dataset"], int(because["fence"])) if because else None,
        now=utc_now().isoformat(timespec="milliseconds"),
    )


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer {"op": "order", "detail"?}; with "mart" and "because": "prepare", "swap" ("token"), "failed" ("error")."""
    match event:
        case {"op": "order"}:
            # Without a published table, as when a new mart was deployed: all marts.
            with spending("refresh", transitions=4):  # Order, Marts, AllMarts, Done
                detail = event.get("detail", {})
                because = {name: detail[name] for name in ("dataset", "fence") if name in detail}
                return {"marts": order(warehouse().marts, detail.get("table")), "because": because}
        case {"op": "prepare", "mart": str(mart)}:
            with spending(mart, transitions=3):  # Prepare, IsCurrent, MartDone
                prepared = prepare(warehouse(), mart, attempt=context.aws_request_id)
            if prepared.skip:
                note(event, "FRESH" if prepared.reason == CURRENT else "WAITING", prepared.reason)
            logger.info("prepared", extra={"mart": mart, "skip": prepared.skip, "reason": prepared.reason})
            return asdict(prepared)
        case {"op": "swap", "mart": str(mart), "token": str(token)}:
            with spending(mart, transitions=2, scanned=int(event.get("scanned", 0))):  # Build, Swap
                verdict = swap(warehouse(), mart, token=token)
            note(event, "FRESH")
            logger.info("swapped", extra={"mart": mart, "token": token, "verdict": verdict})
            return {"mart": mart, "verdict": verdict}
        case {"op": "failed", "mart": str(mart), "error": str(error), "cause": str(cause)}:
            with spending(mart, transitions=2):  # MartFailed, Told
                note(event, "FAILED", why := located(warehouse().mart(mart), reason_of(error, cause)))
            logger.error("failed", extra={"mart": mart, "reason": why})
            return {"mart": mart}
    raise ValueError("expected op order, prepare, swap or failed, with mart and token")
