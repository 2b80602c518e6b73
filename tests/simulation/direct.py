"""The direct way from boto3 to moto's backends: what they would send and parse as HTTP is handed over as it is.

Answers of success are given here, and the few refusals that stages meet every day. Whatever else moto refuses is asked
again the long way, through boto3's own request, parser and retries, so that the error is the one that AWS's protocol
makes of it; so is every call that a fault meets, and every call that is not listed in `ANSWERS`. That both ways come to
the same is shown by `test_the_direct_way_to_moto_is_the_long_way`.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.response import StreamingBody
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.exceptions import HTTPException, ServiceException
from moto.dynamodb.exceptions import ConditionalCheckFailed, TransactionCanceledException
from moto.dynamodb.responses import DynamoHandler
from moto.events.models import events_backends
from moto.glue.exceptions import EntityNotFoundException
from moto.glue.responses import GlueResponse
from moto.s3.models import s3_backends
from moto.stepfunctions.models import stepfunctions_backends

if TYPE_CHECKING:
    from tests.simulation.aws import Aws

Parameters = dict[str, Any]
_OK = SimpleNamespace(status_code=200)


class NotDirectError(Exception):
    """This call has to go the long way."""


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818  (an answer)
    """The service says no, in words of its own that botocore does not retry."""

    code: str
    status: int
    more: Parameters = field(default_factory=dict)


def install(aws: Aws, session: Any, *, region: str) -> None:
    """Let clients that the session makes from now on take the direct way where there is one."""

    class Direct:
        """What a client does before it makes a request."""

        meta: Any
        exceptions: Any
        _emit_api_params: Any

        def _make_api_call(self, operation: str, asked: Parameters) -> Any:
            service = self.meta.service_model.service_id.hyphenize()
            answer = ANSWERS.get(f"{service}.{operation}") if aws.direct else None
            if answer is None:
                return super()._make_api_call(operation, asked)  # type: ignore[misc]
            model, context = self.meta.service_model.operation_model(operation), {"client_config": self.meta.config}
            prepared = self._emit_api_params(api_params=dict(asked), operation_model=model, context=context)
            uuid.uuid4()  # as the long way draws one: the names that follow are the same
            found = aws.first(service, operation, prepared, lambda: _attempt(answer, prepared, region))
            if isinstance(found, Refusal):
                told = {"HTTPStatusCode": found.status, "RetryAttempts": 0}
                said = {"Error": {"Code": found.code, "Message": found.code}, "ResponseMetadata": told, **found.more}
                raise self.exceptions.from_code(found.code)(said, operation)
            if found is not None:
                self.meta.events.emit(
                    f"after-call.{service}.{operation}", http_response=_OK, parsed=found, model=model, context=context
                )
                return found
            if "ClientRequestToken" in prepared:  # a repeated transaction is known by it
                asked = {**asked, "ClientRequestToken": prepared["ClientRequestToken"]}
            return super()._make_api_call(operation, asked)  # type: ignore[misc]

    def derive(base_classes: list[type], **_: Any) -> None:
        base_classes.insert(0, Direct)

    session.events.register("creating-client-class", derive)


def _attempt(
    answer: Callable[[Parameters, str], Parameters], asked: Parameters, region: str
) -> Parameters | Refusal | None:
    try:
        return {**answer(asked, region), "ResponseMetadata": {"HTTPStatusCode": 200, "RetryAttempts": 0}}
    except Refusal as refusal:
        return refusal
    except (HTTPException, ServiceException, NotDirectError):
        return None


def _dynamodb(method: str) -> Callable[[Parameters, str], Parameters]:
    def answer(asked: Parameters, region: str) -> Parameters:
        handler = DynamoHandler()
        handler.current_account, handler.region, handler.body = DEFAULT_ACCOUNT_ID, region, asked
        try:
            result: Parameters = getattr(handler, method)().result
        except TransactionCanceledException as error:
            reasons = json.loads(error.description)["CancellationReasons"]
            raise Refusal("TransactionCanceledException", 400, {"CancellationReasons": reasons}) from None
        except ConditionalCheckFailed:
            raise Refusal("ConditionalCheckFailedException", 400) from None
        return result

    return answer


def _glue(method: str) -> Callable[[Parameters, str], Parameters]:
    def answer(asked: Parameters, region: str) -> Parameters:
        handler = GlueResponse()
        handler.current_account, handler.region, handler.body = DEFAULT_ACCOUNT_ID, region, json.dumps(asked)
        try:
            return copy.deepcopy(getattr(handler, method)().result) or {}
        except EntityNotFoundException:
            raise Refusal("EntityNotFoundException", 400) from None

    return answer


def _s3() -> Any:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


def _only(asked: Parameters, *known: str) -> None:
    if not asked.keys() <= {"Bucket", "Key", *known}:
        raise NotDirectError


def _get_object(asked: Parameters, _: str) -> Parameters:
    _only(asked, "VersionId", "Range", "IfMatch", "ChecksumMode")
    found = _described(asked)
    if asked.get("IfMatch", found["ETag"]) != found["ETag"]:
        raise NotDirectError
    value = found.pop("value")
    if "Range" in asked:
        start, end = (int(place) for place in asked["Range"].removeprefix("bytes=").split("-"))
        if start >= len(value):
            raise NotDirectError
        part = value[start : end + 1]
        found |= {
            "ContentRange": f"bytes {start}-{start + len(part) - 1}/{len(value)}",
            "ContentLength": len(part),
        }
        value = part
    return {**found, "Body": StreamingBody(io.BytesIO(value), len(value))}


def _head_object(asked: Parameters, _: str) -> Parameters:
    _only(asked, "VersionId", "ChecksumMode")
    found = _described(asked)
    del found["value"]
    return found


def _described(asked: Parameters) -> Parameters:
    key = _s3().get_object(asked["Bucket"], asked["Key"], version_id=asked.get("VersionId"))
    if key is None and "VersionId" not in asked:
        raise Refusal("NoSuchKey", 404)
    if key is None:
        raise NotDirectError
    value = key.value
    return {
        "value": value,
        "ContentLength": len(value),
        "ETag": key.etag,
        **_version(key),
        "LastModified": datetime.fromisoformat(key.last_modified_ISO8601),
        "Metadata": {},
    }


def _version(key: Any) -> Parameters:
    return {} if key.version_id == "null" else {"VersionId": key.version_id}  # of a bucket that keeps one only


def _put_object(asked: Parameters, _: str) -> Parameters:
    _only(asked, "Body", "IfNoneMatch", "ContentType", "ChecksumSHA256", "ChecksumAlgorithm")
    bucket, key, body = asked["Bucket"], asked["Key"], asked.get("Body", b"")
    if "IfNoneMatch" in asked and _s3().get_object(bucket, key) is not None:
        raise Refusal("PreconditionFailed", 412)
    if not isinstance(body, bytes):
        at = body.tell()
        body, _at = body.read(), body.seek(at)
    if asked.get("ChecksumSHA256", digest := b64encode(hashlib.sha256(body).digest()).decode()) != digest:
        raise NotDirectError
    new = _s3().put_object(bucket, key, body)
    return {"ETag": new.etag, **_version(new)}


def _list_objects(asked: Parameters, _: str) -> Parameters:
    _only(asked, "Prefix", "EncodingType", "StartAfter")
    keys, is_truncated, _token = _s3().list_objects_v2(
        bucket=_s3().get_bucket(asked["Bucket"]), prefix=asked.get("Prefix"), delimiter=None, continuation_token=None,
        start_after=asked.get("StartAfter"), max_keys=1000,
    )  # fmt: skip
    if is_truncated:
        raise NotDirectError
    return {"IsTruncated": False, "Contents": [_listed(key) for key in keys]} if keys else {"IsTruncated": False}


def _list_object_versions(asked: Parameters, _: str) -> Parameters:
    _only(asked, "Prefix", "EncodingType")
    versions, _folders, markers, more, _more = _s3().list_object_versions(asked["Bucket"], prefix=asked["Prefix"])
    if more is not None:
        raise NotDirectError
    found = {
        "Versions": [{**_listed(key), "VersionId": key.version_id, "IsLatest": key.is_latest} for key in versions],
        "DeleteMarkers": [
            {
                "Key": marker.name,
                "VersionId": marker.version_id,
                "IsLatest": marker.is_latest,
                "LastModified": datetime.fromisoformat(marker.last_modified_ISO8601),
            }
            for marker in markers
        ],
    }
    return {"IsTruncated": False, **{name: listed for name, listed in found.items() if listed}}


def _listed(key: Any) -> Parameters:
    return {
        "Key": key.name,
        "LastModified": datetime.fromisoformat(key.last_modified_ISO8601),
        "ETag": key.etag,
        "Size": key.size,
        "StorageClass": key.storage_class,
    }


def _delete_objects(asked: Parameters, _: str) -> Parameters:
    _only(asked, "Delete")
    deleted, refused = _s3().delete_objects(asked["Bucket"], asked["Delete"]["Objects"])
    if refused or any(which or marker for _, which, marker in deleted):
        raise NotImplementedError
    return {"Deleted": [{"Key": key} for key, _, _ in deleted]}


def _put_events(asked: Parameters, region: str) -> Parameters:
    entries = events_backends[DEFAULT_ACCOUNT_ID][region].put_events(asked["Entries"])
    return {"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries}


def _create_bucket(asked: Parameters, region: str) -> Parameters:
    _s3().create_bucket(asked["Bucket"], region)
    return {}


def _version_bucket(asked: Parameters, _: str) -> Parameters:
    _s3().put_bucket_versioning(asked["Bucket"], asked["VersioningConfiguration"]["Status"])
    return {}


def _create_state_machine(asked: Parameters, region: str) -> Parameters:
    made = stepfunctions_backends[DEFAULT_ACCOUNT_ID][region].create_state_machine(**asked)
    return {"stateMachineArn": made.arn, "creationDate": made.creation_date}


def _start_execution(asked: Parameters, region: str) -> Parameters:
    started = stepfunctions_backends[DEFAULT_ACCOUNT_ID][region].start_execution(
        asked["stateMachineArn"], asked["name"], asked["input"]
    )
    return {"executionArn": started.execution_arn, "startDate": started.start_date}


ANSWERS: Mapping[str, Callable[[Parameters, str], Parameters]] = {
    "dynamodb.BatchGetItem": _dynamodb("batch_get_item"),
    "dynamodb.CreateTable": _dynamodb("create_table"),
    "dynamodb.GetItem": _dynamodb("get_item"),
    "dynamodb.Query": _dynamodb("query"),
    "dynamodb.TransactWriteItems": _dynamodb("transact_write_items"),
    "dynamodb.UpdateItem": _dynamodb("update_item"),
    "eventbridge.PutEvents": _put_events,
    "glue.CreateDatabase": _glue("create_database"),
    "glue.CreateTable": _glue("create_table"),
    "glue.GetDatabase": _glue("get_database"),
    "glue.GetTable": _glue("get_table"),
    "glue.UpdateTable": _glue("update_table"),
    "s3.CreateBucket": _create_bucket,
    "s3.DeleteObjects": _delete_objects,
    "s3.GetObject": _get_object,
    "s3.HeadObject": _head_object,
    "s3.ListObjectVersions": _list_object_versions,
    "s3.ListObjectsV2": _list_objects,
    "s3.PutBucketVersioning": _version_bucket,
    "s3.PutObject": _put_object,
    "sfn.CreateStateMachine": _create_state_machine,
    "sfn.StartExecution": _start_execution,
}
