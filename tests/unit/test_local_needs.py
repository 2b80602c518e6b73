"""What a call needs, as the Service Authorization Reference says."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.local.permissions.needs import Place, UnmappedError, needs_of
from sluice.local.request import Request

HERE = "eu-west-1:123456789012"
TABLE, JOB = {"DatabaseName": "lake", "Name": "orders"}, {"JobName": "spark"}
TRIPLE = [
    f"arn:aws:glue:{HERE}:catalog",
    f"arn:aws:glue:{HERE}:database/lake",
    f"arn:aws:glue:{HERE}:table/lake/orders",
]
LEDGER, BUS = f"arn:aws:dynamodb:{HERE}:table/ledger", f"arn:aws:events:{HERE}:event-bus/default"
PARTS = [{"Put": {"TableName": "ledger"}}, {"ConditionCheck": {"TableName": "ledger"}}]
OBJECT = {"Bucket": "b", "Key": "k"}
PLACE = Place(account="123456789012", region="eu-west-1", workgroup_of=lambda query: f"of-{query}")


def needs(service: str, operation: str, fields: dict[str, Any]) -> list[tuple[str, str]]:
    request = Request(service=service, operation=operation, resource="", access_key="", fields=fields)
    return [(need.action, need.resource) for need in needs_of(request, PLACE)]


@pytest.mark.parametrize(
    ("service", "operation", "fields", "expected"),
    [
        ("s3", "GetObject", {"Bucket": "b", "Key": "k/1"}, [("s3:GetObject", "arn:aws:s3:::b/k/1")]),
        ("s3", "HeadObject", OBJECT, [("s3:GetObject", "arn:aws:s3:::b/k")]),
        ("s3", "GetObject", {**OBJECT, "VersionId": "v"}, [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
        ("s3", "UploadPart", OBJECT, [("s3:PutObject", "arn:aws:s3:::b/k")]),
        ("s3", "ListObjectsV2", {"Bucket": "b", "Prefix": "p"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("s3", "ListObjectVersions", {"Bucket": "b"}, [("s3:ListBucketVersions", "arn:aws:s3:::b")]),
        (
            "s3", "CopyObject", {"Bucket": "b", "Key": "new", "CopySource": "/b/old%20one?versionId=v"},
            [("s3:PutObject", "arn:aws:s3:::b/new"), ("s3:GetObjectVersion", "arn:aws:s3:::b/old one")],
        ),
        (
            "s3", "DeleteObjects", {"Bucket": "b", "Delete": [{"Key": "k"}, {"Key": "l", "VersionId": "v"}]},
            [("s3:DeleteObject", "arn:aws:s3:::b/k"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/l")],
        ),
        ("dynamodb", "Query", {"TableName": "ledger"}, [("dynamodb:Query", LEDGER)]),
        (
            "dynamodb", "TransactWriteItems", {"TransactItems": PARTS},
            [("dynamodb:PutItem", LEDGER), ("dynamodb:ConditionCheckItem", LEDGER)],
        ),
        ("dynamodb", "BatchGetItem", {"RequestItems": {"ledger": {}}}, [("dynamodb:BatchGetItem", LEDGER)]),
        ("glue", "UpdateTable", {"DatabaseName": "lake", "TableInput": {"Name": "orders"}},
         [("glue:UpdateTable", arn) for arn in TRIPLE]),
        ("glue", "GetTable", TABLE, [("glue:GetTable", arn) for arn in TRIPLE]),
        ("glue", "StartJobRun", JOB, [("glue:StartJobRun", f"arn:aws:glue:{HERE}:job/spark")]),
        ("sqs", "DeleteMessageBatch", {"QueueUrl": "http://h/123456789012/q"},
         [("sqs:DeleteMessage", f"arn:aws:sqs:{HERE}:q")]),
        ("lambda", "Invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f")]),
        ("events", "PutEvents", {"Entries": [{"Source": "sluice"}]}, [("events:PutEvents", BUS)]),
        ("athena", "GetQueryResults", {"QueryExecutionId": "q1"},
         [("athena:GetQueryResults", f"arn:aws:athena:{HERE}:workgroup/of-q1")]),
        ("sts", "AssumeRole", {"RoleArn": "arn:aws:iam::1:role/r"}, [("sts:AssumeRole", "arn:aws:iam::1:role/r")]),
        ("sts", "GetCallerIdentity", {}, []),
    ],
)  # fmt: skip
def test_call_needs_these_actions_on_these_resources(
    service: str, operation: str, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert needs(service, operation, fields) == expected


@pytest.mark.parametrize(
    ("service", "operation"), [("s3", "PutBucketPolicy"), ("dynamodb", "ExecuteStatement"), ("ec2", "RunInstances")]
)
def test_call_that_nobody_mapped_is_not_taken_for_one_that_needs_nothing(service: str, operation: str) -> None:
    with pytest.raises(UnmappedError, match=operation):
        needs(service, operation, {"Bucket": "b"})
