"""Which IAM actions on which resources a call needs, from the Service Authorization Reference. Pure tables.

https://docs.aws.amazon.com/service-authorization/latest/reference/ has a page a service. A call that is not in these
tables needs something that nobody here knows: it is refused (`UnmappedError`), unless an administrator makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from sluice.local.request import Request


class UnmappedError(LookupError):
    """The needs of this call are not listed."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """One question to the policies. `context` holds the condition keys that this call carries."""

    action: str  # as policies write it: s3:GetObject
    resource: str  # an ARN, or * where the action knows none
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of calls, and facts about named resources that only the services know."""

    account: str
    region: str
    workgroup_of: Callable[[str], str]  # an Athena query's id to its workgroup

    def arn(self, service: str, rest: str) -> str:
        """An ARN here; `rest` may be one already."""
        return rest if rest.startswith("arn:") else f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


Fields = Mapping[str, Any]
Needs = Iterable[Need]

FREE = frozenset({("sts", "GetCallerIdentity")})  # AWS answers everybody who signs
_OBJECT_ACTIONS = {
    "HeadObject": "GetObject", "GetObject": "GetObject", "PutObject": "PutObject", "DeleteObject": "DeleteObject",
    "CreateMultipartUpload": "PutObject", "UploadPart": "PutObject", "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload", "ListParts": "ListMultipartUploadParts",
    "GetObjectAttributes": "GetObjectAttributes", "GetObjectTagging": "GetObjectTagging",
    "PutObjectTagging": "PutObjectTagging",
}  # fmt: skip
_OF_A_VERSION = {"GetObject", "DeleteObject", "GetObjectAttributes", "GetObjectTagging", "PutObjectTagging"}
_BUCKET_ACTIONS = {
    "ListObjectsV2": "ListBucket", "ListObjects": "ListBucket", "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions", "ListMultipartUploads": "ListBucketMultipartUploads",
    "GetBucketLocation": "GetBucketLocation", "GetBucketVersioning": "GetBucketVersioning",
}  # fmt: skip
_COPIES = {"CopyObject", "UploadPartCopy"}
_BATCHES = {"SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"}
_TABLE_CALLS = {"GetTable", "CreateTable", "UpdateTable", "DeleteTable", "GetTableVersion", "GetTableVersions",
                "DeleteTableVersion", "BatchDeleteTableVersion", "GetPartitions", "GetPartition"}  # fmt: skip
_JOB_CALLS = {"StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun", "GetJob"}
_ITEM_CALLS = {"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "DescribeTable"}
_PART_ACTIONS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem",
                 "ConditionCheck": "ConditionCheckItem"}  # fmt: skip
_EXECUTION_CALLS = {"DescribeExecution", "StopExecution", "GetExecutionHistory"}
_MACHINE_CALLS = {"StartExecution", "ListExecutions", "DescribeStateMachine"}
_QUERY_CALLS = {"GetQueryExecution", "GetQueryResults", "StopQueryExecution"}
_GROUP_CALLS = {"StartQueryExecution", "GetWorkGroup", "ListQueryExecutions"}


def needs_of(request: Request, place: Place) -> tuple[Need, ...]:
    """Return the needs of a call; all must be allowed. Raises UnmappedError."""
    if (request.service, request.operation) in FREE:
        return ()
    reader = _READERS.get(request.service)
    found = tuple(reader(request.operation, request.fields, place)) if reader else ()
    if not found:
        raise UnmappedError(f"{request.service}:{request.operation}")
    return found


def _s3(operation: str, fields: Fields, _place: Place) -> Needs:
    bucket = f"arn:aws:s3:::{fields.get('Bucket', '')}"
    if operation == "DeleteObjects":
        for item in fields["Delete"]:
            yield _object("DeleteObject", f"{bucket}/{item.get('Key', '')}", item.get("VersionId", ""))
    elif operation in _COPIES:
        yield Need(action="s3:PutObject", resource=f"{bucket}/{fields['Key']}")
        source, _, version = fields["CopySource"].partition("?versionId=")
        yield _object("GetObject", "arn:aws:s3:::" + unquote(source).lstrip("/"), version)
    elif action := _OBJECT_ACTIONS.get(operation):
        yield _object(action, f"{bucket}/{fields['Key']}", fields.get("VersionId", ""))
        if fields.get("Tagging"):
            yield Need(action="s3:PutObjectTagging", resource=f"{bucket}/{fields['Key']}")
    elif action := _BUCKET_ACTIONS.get(operation):
        keys = {"s3:prefix": "Prefix", "s3:delimiter": "Delimiter", "s3:max-keys": "MaxKeys"}
        context = {key: fields[name] for key, name in keys.items() if name in fields}
        yield Need(action=f"s3:{action}", resource=bucket, context=context)


def _object(action: str, resource: str, version: str) -> Need:
    if version and action in _OF_A_VERSION:
        action = action.replace("Object", "ObjectVersion")
        return Need(action=f"s3:{action}", resource=resource, context={"s3:VersionId": version})
    return Need(action=f"s3:{action}", resource=resource)


def _dynamodb(operation: str, fields: Fields, place: Place) -> Needs:
    if operation in _ITEM_CALLS:
        yield _item(operation, fields, place)
    elif operation in {"BatchGetItem", "BatchWriteItem"}:
        for table in fields["RequestItems"]:
            yield _item(operation, {"TableName": table}, place)
    elif operation in {"TransactWriteItems", "TransactGetItems"}:  # each part needs what it would need alone
        for item in fields["TransactItems"]:
            yield from (_item(_PART_ACTIONS[kind], part, place) for kind, part in item.items())


def _item(action: str, fields: Fields, place: Place) -> Need:
    table = place.arn("dynamodb", f"table/{fields['TableName']}")
    index = f"/index/{fields['IndexName']}" if "IndexName" in fields else ""
    return Need(action=f"dynamodb:{action}", resource=table + index)


def _glue(operation: str, fields: Fields, place: Place) -> Needs:
    """Glue asks for the catalog, the database and the table, each by itself."""
    database, catalog = fields.get("DatabaseName", ""), place.arn("glue", "catalog")
    if operation in _TABLE_CALLS:
        table = fields.get("TableInput", {}).get("Name") or fields.get("Name") or fields.get("TableName", "")
        resources = [catalog, place.arn("glue", f"database/{database}"), place.arn("glue", f"table/{database}/{table}")]
    elif operation in {"GetTables", "SearchTables"}:
        resources = [catalog, place.arn("glue", f"database/{database}"), place.arn("glue", f"table/{database}/*")]
    elif operation == "GetDatabase":
        resources = [catalog, place.arn("glue", f"database/{fields.get('Name', '')}")]
    elif operation in _JOB_CALLS:
        resources = [place.arn("glue", f"job/{fields['JobName']}")]
    else:
        resources = []
    for resource in resources:
        yield Need(action=f"glue:{operation}", resource=resource)


def _sqs(operation: str, fields: Fields, place: Place) -> Needs:
    name = fields.get("QueueName") or fields.get("QueueUrl", "").rpartition("/")[2]
    if name:
        action = operation.removesuffix("Batch") if operation in _BATCHES else operation
        yield Need(action=f"sqs:{action}", resource=place.arn("sqs", name))


def _stepfunctions(operation: str, fields: Fields, place: Place) -> Needs:
    if operation in _EXECUTION_CALLS:
        yield Need(action=f"states:{operation}", resource=fields["executionArn"])
    elif operation in _MACHINE_CALLS:
        yield Need(action=f"states:{operation}", resource=fields["stateMachineArn"])
    elif operation == "ListStateMachines":
        yield Need(action=f"states:{operation}", resource=place.arn("states", "stateMachine:*"))


def _lambda(operation: str, fields: Fields, place: Place) -> Needs:
    if operation == "Invoke":
        name = fields["FunctionName"]
        function = name if name.startswith("arn:") else f"function:{name}"
        yield Need(action="lambda:InvokeFunction", resource=place.arn("lambda", function))


def _events(operation: str, fields: Fields, place: Place) -> Needs:
    for entry in fields.get("Entries", []) if operation == "PutEvents" else ():
        bus = place.arn("events", "event-bus/" + entry.get("EventBusName", "default").rpartition("/")[2])
        context = {"events:source": (entry.get("Source", ""),), "events:detail-type": (entry.get("DetailType", ""),)}
        yield Need(action="events:PutEvents", resource=bus, context=context)


def _athena(operation: str, fields: Fields, place: Place) -> Needs:
    if operation in _QUERY_CALLS:
        group = place.workgroup_of(fields["QueryExecutionId"])
    elif operation in _GROUP_CALLS:
        group = fields.get("WorkGroup", "primary")
    else:
        return
    yield Need(action=f"athena:{operation}", resource=place.arn("athena", f"workgroup/{group}"))


def _sns(operation: str, fields: Fields, _place: Place) -> Needs:
    if operation in {"Publish", "PublishBatch"}:
        yield Need(action="sns:Publish", resource=fields.get("TopicArn") or fields["TargetArn"])


def _sts(operation: str, fields: Fields, _place: Place) -> Needs:
    if operation == "AssumeRole":
        yield Need(action="sts:AssumeRole", resource=fields["RoleArn"])


def _ssm(operation: str, fields: Fields, place: Place) -> Needs:
    if operation in {"GetParameter", "PutParameter"}:
        yield Need(action=f"ssm:{operation}", resource=place.arn("ssm", "parameter/" + fields["Name"].lstrip("/")))


def _cloudwatch(operation: str, _fields: Fields, _place: Place) -> Needs:
    if operation in {"PutMetricData", "GetMetricData", "GetMetricStatistics", "ListMetrics"}:
        yield Need(action=f"cloudwatch:{operation}", resource="*")


_READERS: Mapping[str, Callable[[str, Fields, Place], Needs]] = {
    "s3": _s3, "dynamodb": _dynamodb, "glue": _glue, "sqs": _sqs, "stepfunctions": _stepfunctions, "lambda": _lambda,
    "events": _events, "athena": _athena, "sns": _sns, "sts": _sts, "ssm": _ssm, "cloudwatch": _cloudwatch,
}  # fmt: skip
