from __future__ import annotations

import io
import json
from typing import Any

import pytest

from sluice.local.request import identify


def environ(
    method: str, path: str, query: str = "", *, service: str = "s3", body: bytes = b"", **headers: str
) -> dict[str, Any]:
    credential = f"Credential=AKIAEXAMPLE/20261123/eu-west-1/{service}/aws4_request"
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
        **headers,
    }


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "operation"),
    [
        ("PUT", "/b/k", "", {}, "PutObject"),
        ("PUT", "/b/k", "", {"HTTP_X_AMZ_COPY_SOURCE": "/b/other"}, "CopyObject"),
        ("PUT", "/b/k", "partNumber=1&uploadId=u", {}, "UploadPart"),
        ("POST", "/b/k", "uploads", {}, "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId=u", {}, "CompleteMultipartUpload"),
        ("DELETE", "/b/k", "uploadId=u", {}, "AbortMultipartUpload"),
        ("DELETE", "/b/k", "versionId=v", {}, "DeleteObject"),
        ("POST", "/b", "delete", {}, "DeleteObjects"),
        ("GET", "/b/a/deep/key", "versionId=v", {}, "GetObject"),
        ("HEAD", "/b/k", "", {}, "HeadObject"),
        ("GET", "/b", "list-type=2&prefix=x", {}, "ListObjectsV2"),
        ("GET", "/b", "versions&prefix=x", {}, "ListObjectVersions"),
        ("GET", "/b", "notification", {}, "GetBucketNotificationConfiguration"),
        ("PUT", "/b", "", {}, "CreateBucket"),
        ("GET", "/", "", {}, "ListBuckets"),
    ],
)
def test_s3_request_is_known_by_its_operation(
    method: str, path: str, query: str, headers: dict[str, str], operation: str
) -> None:
    assert identify(environ(method, path, query, **headers)).operation == operation


def test_json_request_names_operation_table_and_caller_and_keeps_its_body() -> None:
    body = json.dumps({"TransactItems": [{"Put": {"TableName": "ledger"}}]}).encode()
    made = environ("POST", "/", service="dynamodb", body=body, HTTP_X_AMZ_TARGET="DynamoDB_20120810.TransactWriteItems")
    request = identify(made)
    assert (request.service, request.operation, request.resource) == ("dynamodb", "TransactWriteItems", "ledger")
    assert request.access_key == "AKIAEXAMPLE"
    assert made["wsgi.input"].read() == body


def test_glue_request_names_database_and_table() -> None:
    body = json.dumps({"DatabaseName": "lake", "TableInput": {"Name": "flights"}}).encode()
    request = identify(environ("POST", "/", service="glue", body=body, HTTP_X_AMZ_TARGET="AWSGlue.UpdateTable"))
    assert (request.operation, request.resource) == ("UpdateTable", "lake.flights")


def test_lambda_invocation_names_its_function() -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:ingest"
    request = identify(environ("POST", f"/2015-03-31/functions/{arn}/invocations", service="lambda"))
    assert (request.operation, request.resource) == ("Invoke", arn)


def test_query_protocol_request_names_its_action() -> None:
    body = b"Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&Version=2011-06-15"
    request = identify(environ("POST", "/", service="sts", body=body))
    assert (request.operation, request.resource) == ("AssumeRole", "arn:aws:iam::1:role/r")
