"""Objects in S3 as the pipeline writes and reads them: by version, by content, or first one wins.

No Iceberg here, so that the transform package need not carry it. Listing the raw zone is in `versions.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sluice.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

_LARGEST_PUT = 4 << 30  # S3 takes 5 GiB in one request
_BLOCK = 1 << 20
_RACES = 5
_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "405", "MethodNotAllowed"})


class VanishedError(Exception):
    """The object version is not there (any more)."""


def fetch_version(s3: S3Client, *, bucket: str, key: str, version_id: str, path: Path) -> None:
    """Download one object version to `path`. Raises VanishedError if it was deleted for good."""
    try:
        s3.download_file(bucket, key, str(path), ExtraArgs={"VersionId": version_id})
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            raise VanishedError(f"version {version_id}") from error
        raise


def read_range(s3: S3Client, *, bucket: str, key: str, version_id: str, start: int, end: int) -> Iterator[bytes]:
    """Read the bytes [start, end) of one object version, block by block. Raises VanishedError as `fetch_version`."""
    yield from _get_range(s3, bucket, (key, version_id), start, end)["Body"].iter_chunks(_BLOCK)


def read_head(s3: S3Client, *, bucket: str, key: str, version_id: str, length: int) -> tuple[bytes, int]:
    """Read the first bytes of one object version that is not empty; return them and the size of it all."""
    found = _get_range(s3, bucket, (key, version_id), 0, length)
    return found["Body"].read(), int(found["ContentRange"].rpartition("/")[2])


def _get_range(s3: S3Client, bucket: str, version: tuple[str, str], start: int, end: int) -> GetObjectOutputTypeDef:
    key, version_id = version
    try:
        return s3.get_object(Bucket=bucket, Key=key, VersionId=version_id, Range=f"bytes={start}-{end - 1}")
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            raise VanishedError(f"version {version_id}") from error
        raise


def fetch(s3: S3Client, uri: str, path: Path) -> None:
    """Download an object that is known to exist, by its `s3://` address."""
    bucket, key = split(uri)
    s3.download_file(bucket, key, str(path))


def put_file(s3: S3Client, *, bucket: str, folder: str, path: Path, suffix: str) -> str:
    """Upload a file under its SHA-256 and return its `s3://` address. The same bytes again change nothing."""
    digest = _sha256(path)
    key = f"{folder}/{digest.hex()}{suffix}"
    if path.stat().st_size > _LARGEST_PUT:
        s3.upload_file(str(path), bucket, key)  # in parts; the name says what must be inside
        return f"s3://{bucket}/{key}"
    for _ in range(_RACES):
        try:
            with path.open("rb") as body:
                s3.put_object(
                    Bucket=bucket,
                    Key=key,
                    Body=body,
                    IfNoneMatch="*",
                    ChecksumSHA256=base64.b64encode(digest).decode(),
                )
        except ClientError as error:
            if _exists(error):
                break
            if not _raced(error):
                raise
        else:
            break
    else:
        raise TransientError(f"s3://{bucket}/{key}: raced {_RACES} times")
    return f"s3://{bucket}/{key}"


def put_json_once(s3: S3Client, *, bucket: str, key: str, value: Any) -> Any:
    """Write a JSON document unless there is one, and return the one that is there: the first writer wins."""
    body = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    for _ in range(_RACES):
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", ContentType="application/json")
        except ClientError as error:
            if not (_exists(error) or _raced(error)):
                raise
        # Read back even after success: a repetition after a lost response must not take itself for the first.
        if (winner := get_json(s3, bucket=bucket, key=key)) is not None:
            return winner
    raise TransientError(f"s3://{bucket}/{key}: raced {_RACES} times")


def put_json(s3: S3Client, *, bucket: str, key: str, value: Any) -> None:
    """Write a JSON document whose name nobody else uses."""
    body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def list_json(s3: S3Client, *, bucket: str, prefix: str) -> Iterator[Any]:
    """Read all JSON documents below a prefix."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield get_json(s3, bucket=bucket, key=item["Key"])


def get_json(s3: S3Client, *, bucket: str, key: str) -> Any | None:
    """Read a JSON document; None if there is none."""
    try:
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return None
        raise


def split(uri: str) -> tuple[str, str]:
    """Split an `s3://bucket/key` address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _exists(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in {"PreconditionFailed", "412"}


def _raced(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in {"ConditionalRequestConflict", "409"}
