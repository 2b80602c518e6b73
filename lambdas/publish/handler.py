"""Publish: a run's files become visible. Parses the run, calls the stage, answers with the snapshots."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

from sluice.stages.publish import publish
from sluice.stages.rewrite import rewriting
from sluice.stages.services import services

logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001
    """Publish the run {"dataset", "fence", "run_id"}."""
    at = services("lake_bucket", "database")
    logger.append_keys(**{name: event[name] for name in ("dataset", "fence", "run_id")})
    folder = at.run_folder(event["dataset"], event["fence"])
    with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
        done = publish(
            folder,
            catalog=at.catalog,
            database=at.settings.database,
            rewriting_for=partial(
                rewriting, s3=at.s3, bucket=folder.bucket, scratch=Path(scratch), limits=at.settings.limits()
            ),
            sleep=at.sleep,
        )
    logger.info("published", extra={"snapshots": dict(done.snapshots), "changed": done.changed})
    return {"changed": done.changed}
