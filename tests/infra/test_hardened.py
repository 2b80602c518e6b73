"""The hardened profile: nothing is stored, queued or logged without a customer's key, and no function can go out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.conftest import Resource, Templates, as_list, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.proof

BUCKETS = ("Raw", "Lake", "Results")
PRICED = 14.60  # dollars a month for one endpoint in two zones: docs/hardened.md


@pytest.fixture(scope="module")
def hardened(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    folder = tmp_path_factory.mktemp("hardened")
    context = json.dumps({"env": "prod", "hardened": "true", "alarm_mail": "alarms@example.org"})
    environment = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": context}
    subprocess.run([sys.executable, "app.py"], cwd=root, env=environment, check=True)
    return Templates(folder)


def of_key(value: Any, name: str) -> bool:
    return name in text_of(value)


def statements(role: Resource, templates: Templates) -> Iterator[Mapping[str, Any]]:
    for policy in templates.of("AWS::IAM::Policy"):
        if {"Ref": role.logical_id} in policy.properties["Roles"]:
            yield from policy.properties["PolicyDocument"]["Statement"]


def function_roles(templates: Templates) -> Iterator[Resource]:
    wanted = {f.properties["Role"]["Fn::GetAtt"][0] for f in templates.of("AWS::Lambda::Function")}
    return (role for role in templates.of("AWS::IAM::Role") if role.logical_id in wanted)


def test_everything_that_holds_data_is_encrypted_with_the_data_key(hardened: Templates) -> None:
    for name in BUCKETS:
        (rule,) = hardened.at(name).properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert of_key(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"], "DataKey")
        assert rule["BucketKeyEnabled"] is True
    ledger = hardened.at("Ledger").properties["SSESpecification"]
    assert ledger["SSEType"] == "KMS"
    assert of_key(ledger["KMSMasterKeyId"], "DataKey")
    group = hardened.at("Warehouse/WorkGroup").properties["WorkGroupConfiguration"]["ResultConfiguration"]
    assert group["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    assert of_key(group["EncryptionConfiguration"]["KmsKey"], "DataKey")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
        ("AWS::Lambda::Function", "KmsKeyArn"),
    ],
)
def test_messages_logs_and_variables_are_encrypted_with_the_operations_key(
    hardened: Templates, kind: str, name: str
) -> None:
    for resource in hardened.of(kind):
        assert of_key(resource.properties[name], "OperationsKey"), resource.path


def test_keys_turn_once_a_year_and_outlive_their_stack(hardened: Templates) -> None:
    for key in hardened.of("AWS::KMS::Key"):
        assert key.properties["EnableKeyRotation"] is True
        assert key.body["DeletionPolicy"] == "Retain"
        denied = [s for s in key.properties["KeyPolicy"]["Statement"] if s["Effect"] == "Deny"]
        assert [s["Action"] for s in denied] == ["kms:CreateGrant"]


def test_who_reads_or_writes_data_may_use_its_key_through_s3_and_dynamodb_only(hardened: Templates) -> None:
    users = 0
    for role in hardened.of("AWS::IAM::Role"):
        allowed = list(statements(role, hardened))
        touches = any(a.startswith(("s3:", "dynamodb:")) for s in allowed for a in as_list(s["Action"]))
        using = [s for s in allowed if "kms:GenerateDataKey" in as_list(s["Action"])]
        assert bool(using) == touches, role.path
        for statement in using:
            users += 1
            assert of_key(statement["Resource"], "DataKey")
            services = statement["Condition"]["StringEquals"]["kms:ViaService"]
            assert [text_of(service).partition(".")[0] for service in services] == ["s3", "dynamodb"]
    assert users >= 7


def test_functions_stand_in_a_network_without_a_way_out(hardened: Templates) -> None:
    kinds = {resource.kind for resource in hardened.resources}
    assert kinds.isdisjoint({"AWS::EC2::NatGateway", "AWS::EC2::InternetGateway", "AWS::EC2::EIP"})
    for function in hardened.of("AWS::Lambda::Function"):
        assert len(function.properties["VpcConfig"]["SubnetIds"]) == 2, function.path
    for role in function_roles(hardened):
        assert any("ec2:CreateNetworkInterface" in as_list(s["Action"]) for s in statements(role, hardened)), role.path


def test_every_service_that_a_function_calls_has_an_endpoint(hardened: Templates, root: Path) -> None:
    endpoints = {text_of(e.properties["ServiceName"]).rpartition(".")[2] for e in hardened.of("AWS::EC2::VPCEndpoint")}
    called = {
        action.partition(":")[0]
        for role in function_roles(hardened)
        for statement in statements(role, hardened)
        for action in as_list(statement["Action"])
    } - {"logs", "xray", "kms", "ec2"}
    names = {"cloudwatch": "monitoring"}
    assert {names.get(service, service) for service in called} == endpoints
    paid = len(endpoints - {"s3", "dynamodb"})
    assert f"{paid} x $14.60 = ${paid * PRICED:.2f}" in (root / "docs" / "hardened.md").read_text(encoding="utf-8")


def test_who_read_and_wrote_is_kept_in_a_bucket_that_takes_nothing_else(hardened: Templates) -> None:
    logs = hardened.at("AccessLogs")
    for name in BUCKETS:
        assert hardened.at(name).properties["LoggingConfiguration"]["DestinationBucketName"] == {"Ref": logs.logical_id}
    allowed = [
        statement
        for statement in hardened.at("AccessLogs/Policy").properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert [(s["Principal"], s["Action"]) for s in allowed] == [
        ({"Service": "logging.s3.amazonaws.com"}, "s3:PutObject")
    ]
    assert len(allowed[0]["Condition"]["ArnLike"]["aws:SourceArn"]) == len(BUCKETS)


def test_what_was_delivered_is_locked(hardened: Templates) -> None:
    raw = hardened.at("Raw").properties
    assert raw["ObjectLockEnabled"] is True
    assert raw["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 30}
    assert "ObjectLockEnabled" not in hardened.at("Lake").properties, "maintenance removes what tables replaced"


def test_job_has_a_security_configuration(hardened: Templates) -> None:
    (security,) = hardened.of("AWS::Glue::SecurityConfiguration")
    (job,) = hardened.of("AWS::Glue::Job")
    assert job.properties["SecurityConfiguration"] == security.properties["Name"]
    encryption = security.properties["EncryptionConfiguration"]
    assert encryption["CloudWatchEncryption"]["CloudWatchEncryptionMode"] == "SSE-KMS"


def test_hardening_takes_nothing_away(hardened: Templates, templates: Templates) -> None:
    """The same constructs stand in both profiles, and some more in this one."""
    # The CDK puts the stack's name and a hash of it into the ids of what ties a function to its callers.
    wanted = {resource.path for resource in templates.resources if "sluicedev" not in resource.path}
    assert len(wanted) > 0.9 * len(templates.resources)
    assert wanted <= {resource.path for resource in hardened.resources}
