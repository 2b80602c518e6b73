"""Transform: one group of a run on this Lambda. Parses the group, calls the stage, answers with a few counts."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from sluice.stages.failure import noted
from sluice.stages.logs import stage_logger
from sluice.stages.services import services
from sluice.stages.spending import spent_in_run
from sluice.stages.transform import transform

logger = stage_logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Transform one group of {"dataset", "fence", "run_id", "group"}."""
    at = services("raw_bucket", "lake_bucket")
    logger.append_keys(**{name: event[name] for name in ("dataset", "fence", "run_id", "group")})
    folder = at.run_folder(event["dataset"], event["fence"])
    with (
        tempfile.TemporaryDirectory(prefix="sluice-") as scratch,
        spent_in_run(folder, at.meter(), stage="transform", attempt=context.aws_request_id),
        noted(folder, event["group"]),
    ):
        result = transform(
            folder,
            event["group"],
            s3=at.s3,
            raw_bucket=at.settings.raw_bucket,
            limits=at.settings.limits(),
            scratch=Path(scratch),
            timer=time.monotonic,
            salt_of=at.salt,
        )
    loads = [load.load_id for load in result.loads]
    logger.info("transformed", extra={"files": len(result.files), "seconds": result.seconds, "load_ids": loads})
    return {"group": result.group, "loads": len(result.loads), "vanished": len(result.vanished)}
