"""S3 clients for tasks. A client takes longer to make than a small task to run, so each process keeps one."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@cache
def connect() -> S3Client:
    """Return this process's client, with its role's credentials; `AWS_ENDPOINT_URL` points it at the offline AWS."""
    return boto3.client("s3")
