"""The deployer: what it builds it builds in full, what it does not know it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sluice.local.cloud import LocalCloud
from sluice.local.deployer import KINDS, _make, check
from sluice.local.resources.kind import Site
from sluice.local.template import Stack, UnsupportedTemplate
from tests.stage.local_world import BUCKET, resource, role, write_assembly

TRANSITION = {"StorageClass": "GLACIER", "TransitionInDays": 90}
DATA: Mapping[str, Any] = {
    "Raw": resource(
        "AWS::S3::Bucket",
        {
            "VersioningConfiguration": {"Status": "Enabled"},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True},
            "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "tidy", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}, "Transitions": [TRANSITION],
                    }
                ]
            },
            "Tags": [{"Key": "team", "Value": "data"}],
        },
    ),
    "Policy": resource(
        "AWS::S3::BucketPolicy",
        {
            "Bucket": {"Ref": "Raw"},
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                        "Resource": {"Fn::GetAtt": ["Raw", "Arn"]},
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        },
    ),
    "Ledger": resource(
        "AWS::DynamoDB::Table",
        {
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
            "SSESpecification": {"SSEEnabled": True},
            "DeletionProtectionEnabled": True,
        },
    ),
    "Global": resource(
        "AWS::DynamoDB::GlobalTable",
        {
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "Replicas": [
                {
                    "Region": {"Ref": "AWS::Region"},
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                }
            ],
        },
    ),
    "Never": resource("AWS::SQS::Queue", {}, Condition="Off"),
}  # fmt: skip
APP: Mapping[str, Any] = {
    "Role": role(),
    "Dlq": resource("AWS::SQS::Queue", {"MessageRetentionPeriod": 1209600}),
    "Queue": resource(
        "AWS::SQS::Queue",
        {
            "VisibilityTimeout": 120,
            "SqsManagedSseEnabled": True,
            "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dlq", "Arn"]}, "maxReceiveCount": 3},
        },
    ),
    "Group": resource("AWS::Logs::LogGroup", {"RetentionInDays": 30}),
    "Alarm": resource(
        "AWS::CloudWatch::Alarm",
        {
            "Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Threshold": 0, "Period": 60,
            "Statistic": "Maximum", "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold",
            "Dimensions": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Dlq", "QueueName"]}}],
        },
    ),
    "Parameter": resource(
        "AWS::SSM::Parameter", {"Type": "String", "Value": {"Fn::ImportValue": "raw-name"}, "Name": "/raw"}
    ),
    "Metadata": resource("AWS::CDK::Metadata", {"Analytics": "v2"}),
}  # fmt: skip
STACKS = {
    "Data": {
        "Resources": DATA,
        "Conditions": {"Off": {"Fn::Equals": ["a", "b"]}},
        "Outputs": {
            "Raw": {"Value": {"Ref": "Raw"}, "Export": {"Name": "raw-name"}},
            "Ledger": {"Value": {"Ref": "Ledger"}},
            "Global": {"Value": {"Ref": "Global"}},
        },
    },
    "App": {"Resources": APP, "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}, "Group": {"Value": {"Ref": "Group"}}}},
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(write_assembly(tmp_path_factory.mktemp("deployer") / "cdk.out", STACKS)) as made:
        yield made


def test_bucket_has_every_setting_of_its_template(cloud: LocalCloud) -> None:
    s3, raw = cloud.client("s3"), cloud.outputs["Raw"]
    assert s3.get_bucket_versioning(Bucket=raw)["Status"] == "Enabled"
    encryption = s3.get_bucket_encryption(Bucket=raw)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert s3.get_public_access_block(Bucket=raw)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True
    rule = s3.get_bucket_lifecycle_configuration(Bucket=raw)["Rules"][0]
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    assert rule["Transitions"] == [{"StorageClass": "GLACIER", "Days": 90}]
    assert json.loads(s3.get_bucket_policy(Bucket=raw)["Policy"])["Statement"][0]["Effect"] == "Deny"
    assert s3.get_bucket_tagging(Bucket=raw)["TagSet"] == [{"Key": "team", "Value": "data"}]


@pytest.mark.parametrize("output", ["Ledger", "Global"])
def test_table_has_point_in_time_recovery(cloud: LocalCloud, output: str) -> None:
    backups = cloud.client("dynamodb").describe_continuous_backups(TableName=cloud.outputs[output])
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_table_has_expiry_encryption_and_protection(cloud: LocalCloud) -> None:
    dynamodb, ledger = cloud.client("dynamodb"), cloud.outputs["Ledger"]
    assert dynamodb.describe_time_to_live(TableName=ledger)["TimeToLiveDescription"]["AttributeName"] == "expires"
    described = dynamodb.describe_table(TableName=ledger)["Table"]
    assert described["DeletionProtectionEnabled"] is True
    assert described["SSEDescription"]["Status"] == "ENABLED"


def test_queue_log_group_and_alarm_are_as_the_template_says(cloud: LocalCloud) -> None:
    found = cloud.client("sqs").get_queue_attributes(QueueUrl=cloud.outputs["Queue"], AttributeNames=["All"])[
        "Attributes"
    ]
    assert json.loads(found["RedrivePolicy"])["maxReceiveCount"] == 3
    assert found["VisibilityTimeout"] == "120"
    group = cloud.client("logs").describe_log_groups(logGroupNamePrefix=cloud.outputs["Group"])["logGroups"][0]
    assert group["retentionInDays"] == 30
    assert len(cloud.client("cloudwatch").describe_alarms()["MetricAlarms"]) == 1


def test_stack_gets_what_an_earlier_one_exports(cloud: LocalCloud) -> None:
    assert cloud.client("ssm").get_parameter(Name="/raw")["Parameter"]["Value"] == cloud.outputs["Raw"]


def test_resource_whose_condition_is_false_is_not_there(cloud: LocalCloud) -> None:
    assert {resource.logical_id for resource in cloud.deployment.resources if resource.stack == "Data"} == {
        "Raw", "Policy", "Ledger", "Global",
    }  # fmt: skip


def test_second_cloud_in_one_process_is_refused(cloud: LocalCloud, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="one LocalCloud"), LocalCloud(write_assembly(tmp_path, STACKS)):
        pass
    assert cloud.client("s3").list_buckets()["Buckets"]


# -- refusals


@pytest.mark.parametrize(
    ("kind", "properties", "words"),
    [
        ("AWS::EC2::Vpc", {}, "type AWS::EC2::Vpc is not handled"),
        ("Custom::S3BucketNotifications", {}, "type Custom::S3BucketNotifications is not handled"),
        ("AWS::S3::Bucket", {"ReplicationConfiguration": {}}, "property ReplicationConfiguration of AWS::S3::Bucket"),
        ("AWS::Lambda::Function", {"Layers": ["arn"]}, "property Layers of AWS::Lambda::Function"),
    ],
)
def test_unknown_type_or_property_is_refused_by_name(kind: str, properties: dict[str, Any], words: str) -> None:
    stack = Stack(name="S", region=None, template={"Resources": {"Thing": resource(kind, properties)}}, assets=())
    with pytest.raises(UnsupportedTemplate, match=f"S/Thing: {words}"):
        check(stack)


@pytest.mark.parametrize(
    ("kind", "properties", "words"),
    [
        (
            "AWS::S3::Bucket",
            {"NotificationConfiguration": {"QueueConfigurations": []}},
            "NotificationConfiguration.QueueConfigurations",
        ),
        (
            "AWS::S3::Bucket",
            {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "TagFilters": []}]}},
            "LifecycleConfiguration.Rules.TagFilters",
        ),
        ("AWS::Lambda::Function", {"Code": {"ZipFile": "x"}}, "Code.ZipFile"),
        (
            "AWS::Lambda::Function",
            {"Code": {"S3Bucket": BUCKET, "S3Key": "unknown.zip"}},
            "no asset of the assembly",
        ),
        (
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": "arn:aws:kinesis:us-east-1:1:stream/s"},
            "event sources other than SQS",
        ),
        (
            "AWS::Events::Rule",
            {
                "EventPattern": {"source": ["x"]},
                "Targets": [{"Id": "1", "Arn": "arn:aws:kinesis:us-east-1:1:stream/s"}],
            },
            "an event target of service kinesis",
        ),
        ("AWS::Events::Rule", {"EventBusName": "own", "EventPattern": {"source": ["x"]}}, "event buses"),
        (
            "AWS::StepFunctions::StateMachine",
            {"RoleArn": "r", "DefinitionString": '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}}'},
            "goes on to B",
        ),
    ],
)
def test_nested_thing_that_is_not_handled_is_refused_by_name(
    cloud: LocalCloud, kind: str, properties: dict[str, Any], words: str
) -> None:
    site = Site(
        stack="S", logical_id="Thing", account="123456789012", region="us-east-1", client=cloud.client,
        asset=lambda _bucket, _key: None,
    )  # fmt: skip
    with pytest.raises(UnsupportedTemplate, match=words):
        KINDS[kind].create(site, properties)


def test_nested_property_that_the_sdk_does_not_know_is_refused(tmp_path: Path, cloud: LocalCloud) -> None:
    site = Site(
        stack="S", logical_id="Job", account="123456789012", region="us-east-1", client=cloud.client,
        asset=lambda _bucket, _key: tmp_path,
    )  # fmt: skip
    properties = {"Role": "r", "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/k", "Colour": "blue"}}
    with pytest.raises(UnsupportedTemplate, match="Colour"):
        _make(site, resource("AWS::Glue::Job", properties), properties, None)
