"""S3, DynamoDB, Glue databases and Athena workgroups: storage and catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.local.resources.kind import Created, Kind, Properties, Site, given, kind, text


def bucket(site: Site, properties: Properties) -> Created:
    """AWS::S3::Bucket."""
    s3 = site.client("s3")
    name = properties.get("BucketName") or site.name(limit=63).lower()
    place = {} if site.region == "us-east-1" else {"LocationConstraint": site.region}
    s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
    if versioning := properties.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=versioning)
    if encryption := properties.get("BucketEncryption"):
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=_encryption(site, encryption))
    if block := properties.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
    if ownership := properties.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=ownership)
    if lifecycle := properties.get("LifecycleConfiguration"):
        site.only(lifecycle, "Rules", within="LifecycleConfiguration")
        rules = [_lifecycle_rule(site, rule) for rule in lifecycle["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    if notification := properties.get("NotificationConfiguration"):
        site.only(notification, "EventBridgeConfiguration", within="NotificationConfiguration")
        if str(notification["EventBridgeConfiguration"].get("EventBridgeEnabled", True)).lower() == "true":
            s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )
    if tags := properties.get("Tags"):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    return Created(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{site.region}.amazonaws.com",
        },
    )


def _encryption(site: Site, encryption: Mapping[str, Any]) -> dict[str, Any]:
    site.only(encryption, "ServerSideEncryptionConfiguration", within="BucketEncryption")
    rules = []
    for rule in encryption["ServerSideEncryptionConfiguration"]:
        site.only(rule, "ServerSideEncryptionByDefault", "BucketKeyEnabled", within="BucketEncryption")
        by_default = {"ApplyServerSideEncryptionByDefault": "ServerSideEncryptionByDefault"}
        rules.append(given(rule, "BucketKeyEnabled", **by_default))
    return {"Rules": rules}


def _lifecycle_rule(site: Site, rule: Mapping[str, Any]) -> dict[str, Any]:
    """Nest members that CloudFormation has flat."""
    site.only(
        rule, "Id", "Status", "Prefix", "ExpirationInDays", "ExpiredObjectDeleteMarker", "NoncurrentVersionExpiration",
        "AbortIncompleteMultipartUpload", "Transitions", "NoncurrentVersionTransitions",
        within="LifecycleConfiguration.Rules",
    )  # fmt: skip
    expiration = given(rule, "ExpiredObjectDeleteMarker", Days="ExpirationInDays")
    answer = given(rule, "Status", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload", ID="Id")
    answer["Filter"] = {"Prefix": rule.get("Prefix", "")}
    if expiration:
        answer["Expiration"] = expiration
    if transitions := rule.get("Transitions"):
        answer["Transitions"] = [given(step, "StorageClass", Days="TransitionInDays") for step in transitions]
    if transitions := rule.get("NoncurrentVersionTransitions"):
        answer["NoncurrentVersionTransitions"] = [
            given(step, "StorageClass", NoncurrentDays="TransitionInDays") for step in transitions
        ]
    return answer


def bucket_policy(site: Site, properties: Properties) -> Created:
    """AWS::S3::BucketPolicy."""
    site.client("s3").put_bucket_policy(Bucket=properties["Bucket"], Policy=text(properties["PolicyDocument"]))
    return Created(properties["Bucket"])


def table(site: Site, properties: Properties) -> Created:
    """AWS::DynamoDB::Table."""
    dynamodb = site.client("dynamodb")
    name = properties.get("TableName") or site.name(limit=255)
    arguments = given(
        properties, "KeySchema", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput",
        "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "DeletionProtectionEnabled", "TableClass", "Tags",
    )  # fmt: skip
    if encryption := properties.get("SSESpecification"):
        site.only(encryption, "SSEEnabled", "SSEType", "KMSMasterKeyId", within="SSESpecification")
        arguments["SSESpecification"] = given(encryption, "SSEType", "KMSMasterKeyId", Enabled="SSEEnabled")
    if stream := properties.get("StreamSpecification"):
        site.only(stream, "StreamViewType", within="StreamSpecification")
        arguments["StreamSpecification"] = {"StreamEnabled": True, **stream}
    made = dynamodb.create_table(TableName=name, **arguments)["TableDescription"]
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    if expiry := properties.get("TimeToLiveSpecification"):
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
    return Created(name, {"Arn": made["TableArn"], "StreamArn": made.get("LatestStreamArn", "")})


def global_table(site: Site, properties: Properties) -> Created:
    """AWS::DynamoDB::GlobalTable with its one replica in this region."""
    replicas = properties["Replicas"]
    if len(replicas) != 1:
        site.only({"Replicas of other regions": 1}, within="AWS::DynamoDB::GlobalTable")
    here = replicas[0]
    site.only(
        here, "Region", "PointInTimeRecoverySpecification", "DeletionProtectionEnabled", "TableClass", "Tags",
        within="Replicas",
    )  # fmt: skip
    own = {name: value for name, value in properties.items() if name != "Replicas"}
    return table(site, {**own, **{name: value for name, value in here.items() if name != "Region"}})


def database(site: Site, properties: Properties) -> Created:
    """AWS::Glue::Database."""
    described = {**properties["DatabaseInput"]}
    described.setdefault("Name", site.name(limit=255).lower().replace("-", "_"))
    site.client("glue").create_database(DatabaseInput=described)
    return Created(described["Name"])


def workgroup(site: Site, properties: Properties) -> Created:
    """AWS::Athena::WorkGroup."""
    arguments = given(properties, "Name", "Description", "Tags", Configuration="WorkGroupConfiguration")
    site.client("athena").create_work_group(**arguments)
    return Created(properties["Name"], {"CreationTime": "0"})


KINDS: Mapping[str, Kind] = {
    "AWS::S3::Bucket": kind(
        bucket,
        "BucketName VersioningConfiguration BucketEncryption PublicAccessBlockConfiguration OwnershipControls "
        "LifecycleConfiguration NotificationConfiguration Tags",
    ),
    "AWS::S3::BucketPolicy": kind(bucket_policy, "Bucket PolicyDocument"),
    "AWS::DynamoDB::Table": kind(
        table,
        "TableName KeySchema AttributeDefinitions BillingMode ProvisionedThroughput GlobalSecondaryIndexes "
        "LocalSecondaryIndexes DeletionProtectionEnabled TableClass Tags SSESpecification StreamSpecification "
        "PointInTimeRecoverySpecification TimeToLiveSpecification",
    ),
    "AWS::DynamoDB::GlobalTable": kind(
        global_table,
        "TableName KeySchema AttributeDefinitions BillingMode Replicas SSESpecification StreamSpecification "
        "TimeToLiveSpecification",
    ),
    # One catalog here: the account's own.
    "AWS::Glue::Database": kind(database, "DatabaseInput", harmless="CatalogId"),
    "AWS::Athena::WorkGroup": kind(
        workgroup, "Name Description Tags WorkGroupConfiguration", harmless="State RecursiveDeleteOption"
    ),
}
