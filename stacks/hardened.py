"""The hardened profile, `-c hardened=true`: protection that costs while idle, or binds (docs/hardened.md).

Customer keys for everything that is stored or queued, functions in a network without a way out, access logs, and a
lock on delivered objects. It is laid over the finished stacks, so that they read the same with and without it and a
new function, queue or log group is hardened like the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from aws_cdk import CfnResource, Duration, Stack
from aws_cdk import aws_athena as athena
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import IConstruct

from . import access
from .acknowledged import acknowledge
from .lake import Lake
from .network import Network
from .settings import Settings

C = TypeVar("C", bound=IConstruct)

_USE_DATA = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey")
_USE_MESSAGES = ("kms:Decrypt", "kms:GenerateDataKey*")


def harden(lake: Lake, flow: Stack, *, settings: Settings) -> None:
    """Harden both stacks. Call it when everything else is in them."""
    data = _key(lake, "DataKey", "Raw objects, tables, query results and the ledger", lake=lake)
    _encrypt_data(lake, key=data)
    _log_access(lake, days=settings.access_log_days)
    _lock(lake.raw, days=settings.object_lock_days)
    operations = _key(flow, "OperationsKey", "Messages, logs and the functions' variables", lake=lake)
    _let_services_use(operations)
    network = Network(flow, "Network", services=_called_by_functions(flow), log_days=settings.log_days)
    _enclose_functions(flow, network=network, key=operations)
    _encrypt_messages_and_logs(flow, key=operations)
    _encrypt_results(flow, key=data)
    _secure_job(flow, data=data, operations=operations)
    _grant_data_key(flow, key=data)
    _acknowledge(lake, flow)


def _all(stack: Stack, kind: type[C]) -> Iterator[C]:
    """All constructs of a kind in a stack."""
    return (construct for construct in stack.node.find_all() if isinstance(construct, kind))


def _key(stack: Stack, construct_id: str, what_for: str, *, lake: Lake) -> kms.Key:
    key = kms.Key(
        stack,
        construct_id,
        description=f"Sluice: {what_for}",
        enable_key_rotation=True,
        # Without its key data is lost as surely as if it had been deleted.
        removal_policy=lake.fate,
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["kms:CreateGrant"],
            resources=["*"],
            conditions={
                "BoolIfExists": {"kms:GrantIsForAWSResource": "false", "aws:PrincipalIsAWSService": "false"},
            },
        )
    )
    return key


def _encrypt_data(lake: Lake, *, key: kms.IKey) -> None:
    bucket = s3.CfnBucket
    for each in _all(lake, s3.CfnBucket):
        each.bucket_encryption = bucket.BucketEncryptionProperty(
            server_side_encryption_configuration=[
                bucket.ServerSideEncryptionRuleProperty(
                    bucket_key_enabled=True,  # a call of KMS for many objects, not for each
                    server_side_encryption_by_default=bucket.ServerSideEncryptionByDefaultProperty(
                        sse_algorithm="aws:kms", kms_master_key_id=key.key_arn
                    ),
                )
            ]
        )
    for table in _all(lake, dynamodb.CfnTable):
        table.sse_specification = dynamodb.CfnTable.SSESpecificationProperty(
            sse_enabled=True, sse_type="KMS", kms_master_key_id=key.key_arn
        )


def _log_access(lake: Lake, *, days: int) -> None:
    """Log every access to the buckets. S3 delivers its logs only to buckets that it encrypts with a key of its own."""
    watched = list(_all(lake, s3.CfnBucket))
    target = s3.Bucket(
        lake,
        "AccessLogs",
        versioned=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=Duration.days(days),
                noncurrent_version_expiration=Duration.days(1),
                abort_incomplete_multipart_upload_after=Duration.days(7),
            )
        ],
        removal_policy=lake.fate,
    )
    target.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("logging.s3.amazonaws.com")],
            actions=["s3:PutObject"],
            resources=[target.arn_for_objects("*")],
            conditions={
                "ArnLike": {"aws:SourceArn": [each.attr_arn for each in watched]},
                "StringEquals": {"aws:SourceAccount": lake.account},
            },
        )
    )
    for each in watched:
        each.logging_configuration = s3.CfnBucket.LoggingConfigurationProperty(
            destination_bucket_name=target.bucket_name, log_file_prefix=f"{each.node.path}/"
        )
    acknowledge(
        target,
        "It holds the access logs: S3 delivers them to no other encryption, and nobody else writes here",
        "…-S3DefaultEncryptionKMS", "CKV_AWS_18",
        "s3_bucket_logging_enabled_check", "s3_bucket_default_encryption_kms_check",
        "s3_event_notifications_enabled_check", "s3_bucket_object_lock_enabled_check",
    )  # fmt: skip


def _lock(raw: s3.Bucket, *, days: int) -> None:
    """Forbid deleting versions of delivered objects, except for roles with the right to bypass it."""
    bucket = s3.CfnBucket
    (each,) = (child for child in raw.node.children if isinstance(child, s3.CfnBucket))
    each.object_lock_enabled = True
    each.object_lock_configuration = bucket.ObjectLockConfigurationProperty(
        object_lock_enabled="Enabled",
        rule=bucket.ObjectLockRuleProperty(
            default_retention=bucket.DefaultRetentionProperty(mode="GOVERNANCE", days=days)
        ),
    )


def _let_services_use(key: kms.Key) -> None:
    """Let events and alarms reach encrypted queues and topics, and CloudWatch keep logs, for this account only."""
    stack = Stack.of(key)
    # EventBridge gives no source to KMS, so a condition on it refuses every event
    # (docs.aws.amazon.com/sns/latest/dg/sns-key-management.html). Whose rules may write is said by the policies of the
    # queues and of the topic, which name each rule.
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("events.amazonaws.com")], actions=[*_USE_MESSAGES], resources=["*"]
        )
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=[*_USE_MESSAGES],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        )
    )
    groups = stack.format_arn(service="logs", resource="*")
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
    )


def _enclose_functions(flow: Stack, *, network: Network, key: kms.IKey) -> None:
    for function in _all(flow, lambda_.CfnFunction):
        function.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=network.subnet_ids, security_group_ids=[network.group.security_group_id]
        )
        function.kms_key_arn = key.key_arn
    for role in _roles_of(flow, _function_roles(flow)):
        role.add_to_policy(access.allow(["kms:Decrypt"], key.key_arn))  # its variables, and ingest's messages
        role.add_to_policy(access.join_network())


def _encrypt_messages_and_logs(flow: Stack, *, key: kms.IKey) -> None:
    for queue in _all(flow, sqs.CfnQueue):
        queue.sqs_managed_sse_enabled = None
        queue.kms_master_key_id = key.key_arn
    for topic in _all(flow, sns.CfnTopic):
        topic.kms_master_key_id = key.key_arn
    for group in _all(flow, logs.CfnLogGroup):
        group.kms_key_id = key.key_arn


def _encrypt_results(flow: Stack, *, key: kms.IKey) -> None:
    for group in _all(flow, athena.CfnWorkGroup):
        group.add_property_override(
            "WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration",
            {"EncryptionOption": "SSE_KMS", "KmsKey": key.key_arn},
        )


def _secure_job(flow: Stack, *, data: kms.IKey, operations: kms.IKey) -> None:
    security = glue.CfnSecurityConfiguration
    configuration = security(
        flow,
        "JobSecurity",
        name=flow.stack_name,
        encryption_configuration=security.EncryptionConfigurationProperty(
            s3_encryptions=[
                security.S3EncryptionProperty(s3_encryption_mode="SSE-KMS", kms_key_arn=data.key_arn),
            ],
            cloud_watch_encryption=security.CloudWatchEncryptionProperty(
                cloud_watch_encryption_mode="SSE-KMS", kms_key_arn=operations.key_arn
            ),
            job_bookmarks_encryption=security.JobBookmarksEncryptionProperty(
                job_bookmarks_encryption_mode="CSE-KMS", kms_key_arn=data.key_arn
            ),
        ),
    )
    for job in _all(flow, glue.CfnJob):
        job.security_configuration = configuration.name
        job.add_resource_dependency(configuration)
        for role in _roles_of(flow, {_role_id(flow.resolve(job.role))}):
            role.add_to_policy(access.encrypt_job_logs(flow))


def _grant_data_key(flow: Stack, *, key: kms.IKey) -> None:
    """Allow the key to roles that may use the encrypted data, and only through the services that hold it."""
    through = [f"{service}.{flow.region}.amazonaws.com" for service in ("s3", "dynamodb")]
    users = {role for role, action in _actions(flow) if action.startswith(("s3:", "dynamodb:"))}
    for role in _roles_of(flow, users):
        statement = access.allow(_USE_DATA, key.key_arn)
        statement.add_condition("StringEquals", {"kms:ViaService": through})
        role.add_to_policy(statement)


def _actions(flow: Stack) -> Sequence[tuple[str, str]]:
    """Yield each allowed action: (logical id of the role, action)."""
    found = []
    for policy in _all(flow, iam.CfnPolicy):
        roles = [_role_id(role) for role in flow.resolve(policy.roles) or []]
        for statement in flow.resolve(policy.policy_document)["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                found += [(role, action) for role in roles]
    return found


def _called_by_functions(flow: Stack) -> frozenset[str]:
    """Name the services that functions call themselves."""
    functions = _function_roles(flow)
    return frozenset(action.partition(":")[0] for role, action in _actions(flow) if role in functions)


def _function_roles(flow: Stack) -> set[str]:
    return {_role_id(flow.resolve(function.role)) for function in _all(flow, lambda_.CfnFunction)}


def _roles_of(flow: Stack, logical_ids: set[str]) -> Iterator[iam.Role]:
    for role in _all(flow, iam.Role):
        if isinstance(role.node.default_child, CfnResource) and (
            flow.resolve(role.node.default_child.logical_id) in logical_ids
        ):
            yield role


def _role_id(reference: Mapping[str, Any]) -> str:
    """Name the role that a template value refers to: `Ref` for its name, `Fn::GetAtt` for its ARN."""
    return str(reference.get("Ref") or reference["Fn::GetAtt"][0])


def _acknowledge(lake: Lake, flow: Stack) -> None:
    acknowledge(
        lake,
        "One region on purpose: data does not leave it. Versions and the lock keep it",
        "…-S3BucketReplicationEnabled",
    )
    acknowledge(
        lake.ledger,
        "It can be recovered to any second of 35 days, and reconcile finds in the bucket what it does not know",
        "…-DynamoDBInBackupPlan",
    )
    acknowledge(
        flow,
        "Lambda makes network interfaces with the function's rights, before there is a resource to name",
        "CKV_AWS_111",
    )
    acknowledge(
        flow,
        "It has the key of the other stack; the rule knows references within a template only",
        "athena_workgroup_results_encrypted_at_rest_kms_check",
    )
    acknowledge(
        flow,
        "A policy belongs to one role and goes with it; managed policies would invite sharing",
        "…-IAMNoInlinePolicy",
    )
