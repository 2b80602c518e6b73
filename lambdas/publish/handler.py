"""Publish: a run's files become visible. Parses the run, calls the stage, answers with the snapshots."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from sluice.stages.logs import stage_logger
from sluice.stages.publish import publish
from sluice.stages.rewrite import rewriting
from sluice.stages.services import services
from sluice.stages.spending import spent_in_run

logger = stage_logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Publish the run {"dataset", "fence", "run_id"}."""
    at = services("lake_bucket", "database")
    logger.append_keys(**{name: event[name] for name in ("dataset", "fence", "run_id")})
    folder = at.run_folder(event["dataset"], event["fence"])
    with (
        tempfile.TemporaryDirectory(prefix="sluice-") as scratch,
        spent_in_run(folder, at.meter(), stage="publish", attempt=context.aws_request_id),
    ):
        done = publish(
            folder,
            catalog=at.catalog,
            database=at.settings.database,
            rewriting_for=partial(
                rewriting, s3=at.s3, bucket=folder.bucket, scratch=Path(scratch), limits=at.settings.limits()
            ),
            sleep=at.sleep,
        )
    logger.info("published", extra={"snapshots": dict(done.snapshots), "attempts": done.attempts})
    return {"changed": done.changed}
