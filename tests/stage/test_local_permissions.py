"""Who may do what, as the evaluator decides: policies of roles and resources, trust, conditions; what fails closed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sluice.local.cloud import LocalCloud
from sluice.local.permissions.guard import Guard
from sluice.local.permissions.needs import Need
from tests.stage.local_world import function, open_queues, resource, role, write_assembly

HANDLER = "def handler(event, context):\n    return {}\n"
TLS = {"Effect": "Deny", "Principal": "*", "Action": "s3:*",
       "Resource": [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}],
       "Condition": {"Bool": {"aws:SecureTransport": "false"}}}  # fmt: skip
QUEUE_POLICY = open_queues("Queue")
QUEUE_POLICY["Properties"]["PolicyDocument"]["Statement"][0]["Condition"] = {
    "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}
}
RESOURCES = {
    "Role": role(actions=["s3:GetObject", "s3:ListBucket"]),
    "Blind": role(actions=["s3:GetObject"]),
    "Bucket": resource("AWS::S3::Bucket", {}),
    "Tls": resource(
        "AWS::S3::BucketPolicy",
        {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Version": "2012-10-17", "Statement": [TLS]}},
    ),
    "Queue": resource("AWS::SQS::Queue", {}),
    "OpenQueue": QUEUE_POLICY,
    "Rule": resource(
        "AWS::Events::Rule",
        {
            "EventPattern": {"source": ["mine"]},
            "Targets": [{"Id": "queue", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}],
        },
    ),
    "Other": resource(
        "AWS::Events::Rule",
        {
            "EventPattern": {"source": ["theirs"]},
            "Targets": [{"Id": "queue", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}],
        },
    ),
    "Function": function("code"),
}
OUTPUTS = {name: {"Value": {"Ref": name}} for name in ("Bucket", "Queue")} | {
    name: {"Value": {"Fn::GetAtt": [name, "Arn"]}} for name in ("Role", "Blind", "Rule")
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = write_assembly(
        tmp_path_factory.mktemp("permissions") / "cdk.out",
        {
            "P": {
                "Resources": RESOURCES,
                "Outputs": {**OUTPUTS, "BucketArn": {"Value": {"Fn::GetAtt": ["Bucket", "Arn"]}}},
            }
        },
        assets={"code": {"handler.py": HANDLER}},
    )
    with LocalCloud(folder) as made:
        made.client("s3").put_object(Bucket=made.outputs["Bucket"], Key="k", Body=b"1")
        yield made


def guard(cloud: LocalCloud) -> Guard:
    assert cloud.guard, "the policy evaluator is not installed: run `make setup`"
    return cloud.guard


def as_role(cloud: LocalCloud, name: str) -> Any:
    return cloud.principals.client(cloud.outputs[name], "s3")


def test_role_does_what_its_policy_allows_and_nothing_else(cloud: LocalCloud) -> None:
    s3, bucket = as_role(cloud, "Role"), cloud.outputs["Bucket"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    said = refused.value.response["Error"]
    assert said["Code"] == "AccessDenied"
    for part in ("role/P-Role-", "s3:PutObject", f"arn:aws:s3:::{bucket}/k", "stacks/access.py"):
        assert part in said["Message"]
    assert as_role(cloud, "Role").get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_what_is_not_there_is_forbidden_to_those_who_may_not_list(cloud: LocalCloud) -> None:
    codes = {}
    for name in ("Role", "Blind"):
        with pytest.raises(ClientError) as refused:
            as_role(cloud, name).head_object(Bucket=cloud.outputs["Bucket"], Key="nowhere")
        codes[name] = refused.value.response["Error"]["Code"]
    assert codes == {"Role": "404", "Blind": "403"}


def test_caller_that_nobody_knows_is_refused(cloud: LocalCloud) -> None:
    stranger = boto3.client(
        "s3", endpoint_url=cloud.endpoint, aws_access_key_id="AKIASTRANGER", aws_secret_access_key="x"
    )
    with pytest.raises(ClientError, match="nobody knows"):
        stranger.get_object(Bucket=cloud.outputs["Bucket"], Key="k")


def test_call_that_nobody_mapped_is_refused_and_says_where_to_map_it(cloud: LocalCloud) -> None:
    with pytest.raises(ClientError, match=r"GetBucketAcl, and it is not known .*needs\.py"):
        as_role(cloud, "Role").get_bucket_acl(Bucket=cloud.outputs["Bucket"])


def test_role_is_assumed_only_by_whom_it_trusts(cloud: LocalCloud) -> None:
    sts = cloud.principals.client("states.amazonaws.com", "sts")
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        sts.assume_role(RoleArn=cloud.outputs["Role"], RoleSessionName="stranger")


def test_queue_takes_events_of_the_rule_that_its_policy_names_and_of_no_other(cloud: LocalCloud) -> None:
    for source in ("mine", "theirs"):
        cloud.client("events").put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": "{}"}])
    cloud.wait_until_quiet(30)
    messages = cloud.client("sqs").receive_message(QueueUrl=cloud.outputs["Queue"], MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(message["Body"])["source"] for message in messages] == ["mine"]
    assert "may not sqs:SendMessage" in cloud.undelivered[-1].reason


def test_policy_of_the_bucket_refuses_what_is_not_tls_even_to_those_who_may(cloud: LocalCloud) -> None:
    need = Need(action="s3:GetObject", resource=f"arn:aws:s3:::{cloud.outputs['Bucket']}/k")
    assert guard(cloud).decide(cloud.outputs["Role"], need) == "Allowed"
    assert guard(cloud).decide(cloud.outputs["Role"], need, secure=False) == "ExplicitlyDenied"


def test_changed_policy_counts_at_once(cloud: LocalCloud) -> None:
    s3, bucket, iam = as_role(cloud, "Role"), cloud.outputs["Bucket"], cloud.client("iam")
    name = cloud.outputs["Role"].rpartition("/")[2]
    before = iam.get_role_policy(RoleName=name, PolicyName="own")["PolicyDocument"]
    iam.delete_role_policy(RoleName=name, PolicyName="own")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=bucket, Key="k")
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(before))
    assert s3.get_object(Bucket=bucket, Key="k")


def test_evaluator_is_asked_once_for_objects_that_policies_cannot_tell_apart(cloud: LocalCloud) -> None:
    from sluice.local.permissions import guard as module  # noqa: PLC0415

    s3, bucket = as_role(cloud, "Role"), cloud.outputs["Bucket"]
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="nowhere")
    before = module._EVALUATOR.asked
    for number in range(5):
        with pytest.raises(ClientError):
            s3.get_object(Bucket=bucket, Key=f"nowhere/{number}")
    assert module._EVALUATOR.asked == before
    assert {d.resource for d in guard(cloud).decisions if d.resource.endswith(("nowhere/0", "nowhere/4"))}


def test_without_an_evaluator_the_cloud_says_that_it_enforces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_assembly(tmp_path / "cdk.out", {"P": {"Resources": {"Queue": resource("AWS::SQS::Queue", {})}}})
    assert LocalCloud(folder).enforced
    monkeypatch.setattr(sys, "prefix", str(tmp_path))  # where `make setup` has installed nothing
    assert not LocalCloud(folder).enforced
