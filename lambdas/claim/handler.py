"""Claim: the first step of a run. Parses the run, calls the stage, answers with the groups to transform."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from sluice.lake.tables import ensure
from sluice.stages.claim import claim
from sluice.stages.logs import stage_logger
from sluice.stages.plans import read_plan
from sluice.stages.services import services, utc_now
from sluice.stages.spending import spent_in_run

logger = stage_logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Claim pending loads for the run {"dataset", "fence", "run_id"}."""
    at = services("raw_bucket", "lake_bucket", "ledger_table", "database")
    run = {"dataset": event["dataset"], "fence": event["fence"], "run_id": event["run_id"]}
    logger.append_keys(**run)
    folder = at.run_folder(run["dataset"], run["fence"])
    with spent_in_run(folder, at.meter(), stage="claim", attempt=context.aws_request_id):
        made = claim(
            folder,
            run_id=run["run_id"],
            plan=read_plan(Path(__file__).parent / "plans", run["dataset"]),
            s3=at.s3,
            ledger=at.ledger,
            settings=at.settings,
            ensure_tables=partial(
                ensure, at.catalog, database=at.settings.database, lake_bucket=at.settings.lake_bucket
            ),
            now=utc_now(),
        )
    logger.info("claimed", extra={"loads": len(made.loads), "empty": made.is_empty, "over_budget": made.over_budget})
    for group in made.groups:
        logger.info("group", extra={"group": group.index, "engine": group.engine, "load_ids": group.loads})
    groups = [{"group": group.index, "engine": group.engine} for group in made.groups]
    return {**run, "groups": groups, "empty": made.is_empty}
