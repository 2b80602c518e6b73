"""What must survive is encrypted, private, versioned and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Templates

BUCKETS = ("Raw", "Lake", "Results")
STATEFUL = {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Glue::Database"}


def rules(templates: Templates, bucket: str) -> list[dict[str, Any]]:
    return list(templates.at(bucket).properties["LifecycleConfiguration"]["Rules"])


@pytest.mark.parametrize("bucket", BUCKETS)
def test_bucket_is_encrypted_and_private(templates: Templates, bucket: str) -> None:
    properties = templates.at(bucket).properties
    (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert properties["PublicAccessBlockConfiguration"] == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )
    assert properties["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_bucket_refuses_everyone_who_comes_without_tls(templates: Templates, bucket: str) -> None:
    statements = templates.at(f"{bucket}/Policy").properties["PolicyDocument"]["Statement"]
    refused = [s for s in statements if s["Condition"].get("Bool") == {"aws:SecureTransport": "false"}]
    assert [(s["Effect"], s["Principal"], s["Action"]) for s in refused] == [("Deny", {"AWS": "*"}, "s3:*")]
    assert len(refused[0]["Resource"]) == 2, "the bucket and its objects"


@pytest.mark.parametrize("bucket", ["Raw", "Lake"])
def test_data_bucket_keeps_versions(templates: Templates, bucket: str) -> None:
    assert templates.at(bucket).properties["VersioningConfiguration"] == {"Status": "Enabled"}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_abandoned_uploads_are_cleared_away(templates: Templates, bucket: str) -> None:
    assert [r for r in rules(templates, bucket) if "AbortIncompleteMultipartUpload" in r and "Prefix" not in r]


def test_nothing_that_was_delivered_expires(templates: Templates) -> None:
    for rule in rules(templates, "Raw"):
        assert not [key for key in rule if "Expiration" in key or "Transition" in key], rule


def test_no_current_file_of_a_table_expires_by_age(templates: Templates) -> None:
    expiring = {rule.get("Prefix", "") for rule in rules(templates, "Lake") if "ExpirationInDays" in rule}
    assert expiring == {"runs/"}
    assert [rule for rule in rules(templates, "Lake") if "NoncurrentVersionExpiration" in rule]


def test_query_results_expire(templates: Templates) -> None:
    assert [rule for rule in rules(templates, "Results") if rule.get("ExpirationInDays")]


def test_raw_bucket_tells_eventbridge_without_a_custom_resource(templates: Templates) -> None:
    told = templates.at("Raw").properties["NotificationConfiguration"]
    assert told == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_ledger_can_be_recovered_to_any_point_in_time_and_costs_nothing_idle(templates: Templates) -> None:
    ledger = templates.at("Ledger").properties
    assert ledger["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert ledger["BillingMode"] == "PAY_PER_REQUEST"
    assert ledger["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert [(key["AttributeName"], key["KeyType"]) for key in ledger["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]


def test_all_that_holds_data_stands_in_the_lake_stack_and_outlives_it(templates: Templates) -> None:
    stateful = [resource for resource in templates.resources if resource.kind in STATEFUL]
    assert len(stateful) == len(BUCKETS) + 2
    for resource in stateful:
        assert resource.stack == "sluice-dev-lake"
        assert resource.body["DeletionPolicy"] == resource.body["UpdateReplacePolicy"] == "Retain", resource.path
