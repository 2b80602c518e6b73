"""The gateway in front of moto: what it records, refuses and breaks on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pyarrow.fs
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from moto.moto_api._internal import moto_api_backend

from sluice.local.faults import Fault
from sluice.local.gateway import Gateway
from sluice.local.principals import ADMINISTRATOR, Principals

ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def server() -> Iterator[Gateway]:
    moto_api_backend.reset()
    gateway = Gateway()
    gateway.start()
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(server: Gateway) -> Iterator[Gateway]:
    yield server
    server.faults.clear()
    server.authorize = lambda _request, _principal: None
    server.calls.clear()


@pytest.fixture
def principals(gateway: Gateway) -> Principals:
    made = Principals(endpoint=gateway.endpoint, region="us-east-1")
    gateway.name_of = made.name_of
    return made


def impatient(principals: Principals, service: str) -> Any:
    """A client that does not try again."""
    known = principals.credentials(ADMINISTRATOR)
    return boto3.client(
        service, endpoint_url=principals.endpoint, region_name="us-east-1", config=ONCE,
        aws_access_key_id=known.access_key, aws_secret_access_key=known.secret_key,
    )  # type: ignore[call-overload]  # fmt: skip


@pytest.fixture
def bucket(principals: Principals, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-").split("[")[0][-60:].strip("-")
    principals.client(ADMINISTRATOR, "s3").create_bucket(Bucket=name)
    return name


def keys(principals: Principals, bucket: str) -> list[str]:
    found = principals.client(ADMINISTRATOR, "s3").list_objects_v2(Bucket=bucket)
    return [entry["Key"] for entry in found.get("Contents", [])]


def test_call_is_recorded_with_operation_resource_status_and_the_role_behind_it(
    gateway: Gateway, principals: Principals
) -> None:
    principals.client(ADMINISTRATOR, "iam").create_role(RoleName="reader", AssumeRolePolicyDocument="{}")
    role = "arn:aws:iam::123456789012:role/reader"
    with pytest.raises(ClientError):
        principals.client(role, "dynamodb").get_item(TableName="nothing", Key={"pk": {"S": "1"}})
    assume, get = list(gateway.calls)[-2:]
    assert (assume.service, assume.operation, assume.principal) == ("sts", "AssumeRole", "lambda.amazonaws.com")
    assert (get.service, get.operation, get.resource, get.principal) == ("dynamodb", "GetItem", "nothing", role)
    assert get.status == 400


def test_arrow_passes_through_the_gateway_too(gateway: Gateway, principals: Principals, bucket: str) -> None:
    known = principals.credentials(ADMINISTRATOR)
    files = pyarrow.fs.S3FileSystem(
        endpoint_override=gateway.endpoint, access_key=known.access_key, secret_key=known.secret_key, region="us-east-1"
    )
    with files.open_output_stream(f"{bucket}/from/arrow") as stream:
        stream.write(b"rows")
    assert keys(principals, bucket) == ["from/arrow"]
    arrow = [call for call in gateway.calls if call.resource.endswith("from/arrow")]
    assert arrow
    assert {call.principal for call in arrow} == {ADMINISTRATOR}


@pytest.mark.parametrize("kind", ["drop", "timeout", "500", "throttle"])
def test_fault_before_the_effect_leaves_no_object(
    gateway: Gateway, principals: Principals, bucket: str, kind: Any
) -> None:
    gateway.faults.inject(Fault(match=("s3", "PutObject"), when="before", kind=kind, hold=0.01))
    with pytest.raises((ClientError, HTTPClientError)):
        impatient(principals, "s3").put_object(Bucket=bucket, Key="k", Body=b"x" * 100_000)
    assert keys(principals, bucket) == []


@pytest.mark.parametrize("kind", ["drop", "timeout", "500", "throttle"])
def test_fault_after_the_effect_leaves_the_object_and_loses_the_answer(
    gateway: Gateway, principals: Principals, bucket: str, kind: Any
) -> None:
    gateway.faults.inject(Fault(match=("s3", "PutObject"), when="after", kind=kind, hold=0.01))
    with pytest.raises((ClientError, HTTPClientError)):
        impatient(principals, "s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    assert keys(principals, bucket) == ["k"]


@pytest.mark.parametrize("service", ["dynamodb", "sts", "lambda"])
def test_throttling_is_understood_by_the_sdk_of_every_protocol(
    gateway: Gateway, principals: Principals, service: str
) -> None:
    operation = {"dynamodb": "ListTables", "sts": "GetCallerIdentity", "lambda": "ListFunctions"}[service]
    gateway.faults.inject(Fault(match=(service, operation), kind="throttle"))
    client = impatient(principals, service)
    method = {"dynamodb": "list_tables", "sts": "get_caller_identity", "lambda": "list_functions"}[service]
    with pytest.raises(ClientError) as caught:
        getattr(client, method)()
    assert caught.value.response["Error"]["Code"] in {"ThrottlingException", "ProvisionedThroughputExceededException"}
    getattr(client, method)()


def test_sdk_that_tries_again_does_not_notice_a_single_fault(
    gateway: Gateway, principals: Principals, bucket: str
) -> None:
    gateway.faults.inject(Fault(match=("s3", "PutObject"), kind="drop"))
    principals.client(ADMINISTRATOR, "s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    puts = [call for call in gateway.calls if call.operation == "PutObject"]
    assert [(call.status, call.fault) for call in puts] == [(0, "drop before"), (200, "")]


def test_denied_call_has_no_effect_and_says_why(gateway: Gateway, principals: Principals, bucket: str) -> None:
    gateway.authorize = lambda request, _principal: "no grant" if request.operation == "PutObject" else None
    with pytest.raises(ClientError, match=r"AccessDenied.*no grant"):
        impatient(principals, "s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    assert keys(principals, bucket) == []


def test_of_many_conditional_writes_at_once_exactly_one_wins(principals: Principals, bucket: str) -> None:
    s3 = impatient(principals, "s3")

    def write(number: int) -> bool:
        try:
            s3.put_object(Bucket=bucket, Key="claim", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(write, range(24))) == 1


def test_of_many_conditional_updates_at_once_none_is_lost(principals: Principals) -> None:
    dynamodb = principals.client(ADMINISTRATOR, "dynamodb")
    dynamodb.create_table(
        TableName="counters", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )  # fmt: skip
    update = {
        "TableName": "counters", "Key": {"pk": {"S": "c"}}, "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }  # fmt: skip
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: dynamodb.transact_write_items(TransactItems=[{"Update": update}]), range(24)))
    assert dynamodb.get_item(TableName="counters", Key={"pk": {"S": "c"}})["Item"]["n"]["N"] == "24"
