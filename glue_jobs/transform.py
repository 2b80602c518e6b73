"""The Glue job: transform one group of a run on Spark. Parses arguments, wires, runs.

Plain pyspark, so it runs wherever Spark does; the cluster's shape comes from how the job is started.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pyspark import SparkContext

from sluice.distributed.connect import connect
from sluice.distributed.transform import PartSizes, transform
from sluice.kernel.outcome import Limits
from sluice.prices import Usage, billed_dpu_seconds
from sluice.settings import ROWS, RuntimeSettings, from_texts
from sluice.stages.failure import noted
from sluice.stages.run_folder import RunFolder
from sluice.stages.salt import salt_from

logger = logging.getLogger("sluice")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the job's arguments; Glue adds some of its own, which are left alone."""
    parser = argparse.ArgumentParser(prog="transform", allow_abbrev=False)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--fence", required=True, type=int)
    parser.add_argument("--run_id", required=True)
    parser.add_argument("--group", required=True, type=int)
    parser.add_argument("--lake_bucket", required=True)
    parser.add_argument("--raw_bucket", required=True)
    parser.add_argument("--dpu", type=float, default=0.0, help="units of the cluster, for the run's account of costs")
    for name in ROWS:
        parser.add_argument(f"--{name}", default="", help="as in sluice/settings.py")
    return parser.parse_known_args(words)[0]


def main(words: Sequence[str]) -> None:
    """Transform the group that the arguments name, and log one line about it."""
    given, begun = parse(words), time.monotonic()
    settings = RuntimeSettings(**from_texts(RuntimeSettings, vars(given)))
    folder = RunFolder(connect(), bucket=given.lake_bucket, dataset=given.dataset, fence=given.fence)
    spark = SparkContext.getOrCreate()
    try:
        with noted(folder, given.group):
            result = transform(
                folder,
                given.group,
                spark=spark,
                connect=connect,
                raw_bucket=given.raw_bucket,
                limits=Limits(memory_bytes=settings.spark_task_bytes, threads=1),
                sizes=PartSizes(part=settings.spark_part_bytes, bucket=settings.spark_bucket_bytes),
                timer=time.monotonic,
                salt_of=salt_from(settings.salt_parameter, lambda: boto3.client("ssm")),
            )
    finally:
        spark.stop()
        used = Usage(dpu_seconds=billed_dpu_seconds(time.monotonic() - begun, given.dpu))
        with suppress(ClientError, BotoCoreError):  # a lost bill must not fail the work
            folder.write_spent(f"transform-{given.group}-{uuid4().hex}", used)
    event = {"message": "transformed", "service": "transform", "dataset": given.dataset, "run_id": given.run_id}
    done = {"fence": given.fence, "group": given.group, "files": len(result.files), "seconds": result.seconds}
    logger.info(json.dumps({**event, **done, "load_ids": [load.load_id for load in result.loads]}))


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logger.setLevel(logging.INFO)
    main(sys.argv[1:])
