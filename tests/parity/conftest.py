"""Both engines against one S3: a moto server on loopback, and one Spark, since it takes seconds to start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING
from unittest import mock

import pytest
import requests
from moto.server import ThreadedMotoServer

from sluice.distributed.connect import connect
from tests.spark_context import need_spark, spark_context

if TYPE_CHECKING:
    from pyspark import SparkContext

REGION, RAW, LAKE = "eu-west-1", "raw-bucket", "lake-bucket"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Start S3, with both buckets, and point this process at it, and those that it starts."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
    }
    with mock.patch.dict(os.environ, environment):
        requests.post(f"{environment['AWS_ENDPOINT_URL']}/moto-api/reset", timeout=10)  # state is the process's
        connect.cache_clear()
        s3 = connect()
        for bucket in (RAW, LAKE):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=RAW, VersioningConfiguration={"Status": "Enabled"})
        yield environment["AWS_ENDPOINT_URL"]
    connect.cache_clear()
    server.stop()


@pytest.fixture(scope="module")
def spark(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkContext]:  # noqa: ARG001  (its processes inherit the environment)
    """Start Spark with two cores and three attempts for each task."""
    need_spark()
    with spark_context(tmp_path_factory.mktemp("spark"), slots=2, attempts=3) as context:
        yield context
