"""Policy statements in the words of this architecture: exact actions on exact resources, nothing by default."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn

UNSEEN = "sluice:unseen"  # metadata of a role's construct, in the assembly
COLON = ArnFormat.COLON_RESOURCE_NAME


def allow(actions: Sequence[str], *resources: str) -> iam.PolicyStatement:
    """Allow the actions on the resources."""
    return iam.PolicyStatement(actions=[*actions], resources=[*resources])


def unseen(role: iam.Role, reason: str, *actions: str, within: str = "") -> None:
    """Say why a role is granted actions that no offline run uses (on resources that contain `within`).

    `tests/e2e/test_least_privilege.py` runs everything that the stacks can do. It fails for a grant that nothing used
    and nobody explained, and for an explanation of a grant that was used or is gone.
    """
    role.node.add_metadata(UNSEEN, {"actions": [*actions], "within": within, "reason": reason})


def list_keys(bucket: s3.IBucket) -> iam.PolicyStatement:
    """Without it S3 answers 403 for what is not there, and "not yet written" looks like "forbidden"."""
    return allow(["s3:ListBucket"], bucket.bucket_arn)


def list_versions(bucket: s3.IBucket) -> iam.PolicyStatement:
    """List versions of objects, without reading them."""
    return allow(["s3:ListBucketVersions"], bucket.bucket_arn)


def read_versions(bucket: s3.IBucket) -> iam.PolicyStatement:
    """Read object versions."""
    return allow(["s3:GetObjectVersion"], bucket.arn_for_objects("*"))


def read_objects(bucket: s3.IBucket, *prefixes: str) -> iam.PolicyStatement:
    """Read objects below the prefixes."""
    return allow(["s3:GetObject"], *(bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes))


def write_objects(bucket: s3.IBucket, *prefixes: str) -> iam.PolicyStatement:
    """Write objects below the prefixes, large ones in parts.

    Not clean up after an upload that failed: the bucket does, after a week.
    """
    return allow(["s3:PutObject"], *(bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes))


def consume(queue: sqs.IQueue) -> iam.PolicyStatement:
    """Take messages as Lambda's event source mappings do.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (execution role permissions)
    """
    return allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue.queue_arn)


def remove_objects(bucket: s3.IBucket, *prefixes: str) -> iam.PolicyStatement:
    """Remove objects below the prefixes by name: a version of each stays for as long as the bucket's rules say."""
    return allow(["s3:DeleteObject"], *(bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes))


def query(bucket: s3.IBucket, prefix: str) -> Sequence[iam.PolicyStatement]:
    """Read and write below the prefix as Athena does, which looks at the bucket and at its own uploads first."""
    return [
        allow(["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], bucket.bucket_arn),
        allow(
            ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            bucket.arn_for_objects(f"{prefix}*"),
        ),
    ]


def use_ledger(ledger: dynamodb.ITable, *actions: str) -> iam.PolicyStatement:
    """Do these things with items of the ledger. A transaction asks for the actions of its parts."""
    return allow([f"dynamodb:{action}" for action in actions], ledger.table_arn)


def use_tables(stack: Stack, database: str, *actions: str) -> iam.PolicyStatement:
    """Do these things with the tables of one Glue database. Glue asks for the catalog and the database as well."""
    return allow(
        [f"glue:{action}" for action in actions],
        stack.format_arn(service="glue", resource="catalog"),
        stack.format_arn(service="glue", resource="database", resource_name=database),
        stack.format_arn(service="glue", resource="table", resource_name=f"{database}/*"),
    )


def see_database(stack: Stack, database: str) -> iam.PolicyStatement:
    """Look at the Glue database itself, as Athena does, and pyiceberg before it makes or changes a table."""
    return allow(
        ["glue:GetDatabase"],
        stack.format_arn(service="glue", resource="catalog"),
        stack.format_arn(service="glue", resource="database", resource_name=database),
    )


def query_catalog(stack: Stack, database: str) -> Sequence[iam.PolicyStatement]:
    """Look things up in the catalog as Athena does for whoever runs a statement.

    AWS asks for `default` as well, whatever database the statement names:
    https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    """
    return [
        allow(
            ["glue:GetDatabase", "glue:GetDatabases"],
            stack.format_arn(service="glue", resource="catalog"),
            stack.format_arn(service="glue", resource="database", resource_name="default"),
            stack.format_arn(service="glue", resource="database", resource_name=database),
        ),
        use_tables(stack, database, "GetTables", "GetPartitions"),
        allow(
            ["athena:GetDataCatalog"],
            stack.format_arn(service="athena", resource="datacatalog", resource_name="AwsDataCatalog"),
        ),
    ]


def start_runs(machine: sfn.IStateMachine) -> iam.PolicyStatement:
    """Start executions."""
    return allow(["states:StartExecution"], machine.state_machine_arn)


def see_runs(machine: sfn.StateMachine) -> iam.PolicyStatement:
    """See whether executions are still alive."""
    executions = Stack.of(machine).format_arn(
        service="states",
        resource="execution",
        resource_name=f"{machine.state_machine_name}:*",
        arn_format=COLON,
    )
    return allow(["states:DescribeExecution"], executions)


def read_parameter(stack: Stack, name: str) -> iam.PolicyStatement:
    """Read one parameter. One that is encrypted with the account's own key for parameters asks for nothing more."""
    return allow(
        ["ssm:GetParameter"], stack.format_arn(service="ssm", resource="parameter", resource_name=name.lstrip("/"))
    )


def join_network() -> iam.PolicyStatement:
    """Let Lambda put a function into a network: these actions take no resource, or one that is not there yet."""
    actions = [
        "CreateNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSubnets",
        "DeleteNetworkInterface",
        "AssignPrivateIpAddresses",
        "UnassignPrivateIpAddresses",
    ]
    return allow([f"ec2:{action}" for action in actions], "*")


def encrypt_job_logs(stack: Stack) -> iam.PolicyStatement:
    """Let a Glue job tie its log groups to a key."""
    groups = stack.format_arn(service="logs", resource="log-group", resource_name="/aws-glue/jobs/*", arn_format=COLON)
    return allow(["logs:AssociateKmsKey"], groups)
