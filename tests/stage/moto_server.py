"""A moto server of its own for a test module: a lake bucket, a Glue database, and clients through the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import boto3
import requests
from moto.server import ThreadedMotoServer

from sluice.local.seams import glue_version, patch, stepfunctions

REGION, DATABASE, BUCKET = "eu-west-1", "lake", "lake-bucket"


@contextmanager
def moto_server() -> Iterator[str]:
    """Yield the address. Glue honours `VersionId`, as AWS does."""
    stepfunctions.uninstall()  # another module of this process may have left its seams
    patch.restore()
    glue_version.install()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        requests.post(f"{endpoint}/moto-api/reset", timeout=10)  # state is shared by all servers of a process
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": REGION,
        }
        with mock.patch.dict(os.environ, environment):
            boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
            boto3.client("glue").create_database(DatabaseInput={"Name": DATABASE})
            yield endpoint
    finally:
        server.stop()
