"""Least privilege as the templates say it. What calls the code makes is the business of the offline runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Templates

# Actions on every resource, because AWS knows no narrower form of them.
UNAVOIDABLE = {
    "xray:PutTraceSegments": "traces have no ARN",
    "xray:PutTelemetryRecords": "traces have no ARN",
    "xray:GetSamplingRules": "sampling rules are the account's",
    "xray:GetSamplingTargets": "sampling rules are the account's",
    "logs:CreateLogDelivery": "Step Functions' vended logs: no resource-level permissions",
    "logs:GetLogDelivery": "as CreateLogDelivery",
    "logs:UpdateLogDelivery": "as CreateLogDelivery",
    "logs:DeleteLogDelivery": "as CreateLogDelivery",
    "logs:ListLogDeliveries": "as CreateLogDelivery",
    "logs:PutResourcePolicy": "as CreateLogDelivery",
    "logs:DescribeResourcePolicies": "as CreateLogDelivery",
    "logs:DescribeLogGroups": "as CreateLogDelivery",
}
# Ends of resource names that are left open, each with the reason.
OPEN_ENDS = {
    "/runs/*": "one folder a run; fences are not known at synth",
    "/tables/*": "one folder a table; marts are added without a change of roles",
    "/athena/*": "Athena names its results",
    "/*": "object versions of the raw bucket",
    "table/sluice_dev/*": "tables of this environment's database",
    ":*": "executions of one machine",
    "/aws-glue/jobs/*": "log groups that Glue makes for all jobs",
}


def test_no_action_is_a_pattern(templates: Templates) -> None:
    assert [grant for grant in templates.grants() if "*" in grant[1]] == []


def test_all_resources_are_named_where_aws_allows_it(templates: Templates) -> None:
    anywhere = {action for _, action, resource in templates.grants() if resource == "*"}
    assert anywhere == set(UNAVOIDABLE)


def test_resource_names_are_open_only_at_known_ends(templates: Templates) -> None:
    used = set()
    for role, action, resource in templates.grants():
        if "*" in resource and resource != "*":
            ends = [end for end in OPEN_ENDS if resource.endswith(end) and resource.count("*") == 1]
            assert ends, (role, action, resource)
            used.add(max(ends, key=len))
    assert used == set(OPEN_ENDS), "a reason without a grant"


def test_no_role_takes_a_managed_policy(templates: Templates) -> None:
    assert [role.path for role in templates.of("AWS::IAM::Role") if role.properties.get("ManagedPolicyArns")] == []


def test_only_maintenance_may_delete_an_object_and_nobody_a_version(templates: Templates) -> None:
    lake = templates.at("Lake").logical_id
    deleting = [grant for grant in templates.grants() if grant[1].startswith("s3:Delete")]
    ((role, action, resource),) = deleting
    assert (role, action) == ("Maintenance/Maintain/Role", "s3:DeleteObject")
    assert lake in resource
    assert resource.endswith("/tables/*")


def test_nobody_may_write_to_the_raw_bucket(templates: Templates) -> None:
    raw = templates.at("Raw").logical_id
    actions = {action for _, action, resource in templates.grants() if raw in resource}
    assert actions == {"s3:ListBucket", "s3:ListBucketVersions", "s3:GetObjectVersion"}


def test_transform_cannot_change_a_table_on_either_engine(templates: Templates) -> None:
    changing = {role for role, action, _ in templates.grants() if action in {"glue:UpdateTable", "glue:CreateTable"}}
    assert changing == {
        "Pipeline/Claim/Role",  # makes the tables of a new contract, and widens them
        "Pipeline/Publish/Role",
        "Maintenance/Maintain/Role",  # the same rows in fewer files, fewer snapshots
        "Warehouse/Refresh/Role",
        "Warehouse/Marts/Role",  # Athena's CTAS
    }


def test_both_engines_may_do_the_same_with_data(templates: Templates) -> None:
    def may(role: str) -> set[tuple[str, str]]:
        return {
            (action, resource)
            for holder, action, resource in templates.grants()
            if holder == role and action.startswith("s3:") and "assets" not in resource
        }

    assert may("Pipeline/Transform/Role") == may("Pipeline/Spark/Role")


def test_only_those_who_wake_runs_may_start_them(templates: Templates) -> None:
    run = templates.at("Pipeline/Run/Machine").logical_id
    starting = {
        role for role, action, resource in templates.grants() if action == "states:StartExecution" and run in resource
    }
    assert starting == {"Ingest/Ingest/Role", "Ingest/Reconcile/Role", "Pipeline/Settle/Role"}


def test_machines_call_their_own_functions_only(templates: Templates) -> None:
    functions = {function.logical_id: function.path for function in templates.of("AWS::Lambda::Function")}
    called: dict[str, set[str]] = {}
    for role, action, resource in templates.grants():
        if action == "lambda:InvokeFunction":
            called.setdefault(role, set()).add(functions[resource.strip("<>").split(".")[0]].split("/")[1])
    assert called == {
        "Pipeline/Run/Role": {"Claim", "Transform", "Publish", "Settle"},
        "Warehouse/Marts/Role": {"Refresh"},
        "Maintenance/Tables/Role": {"Maintain"},
    }
