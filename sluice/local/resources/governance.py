"""IAM, logs, alarms, dashboards and parameters."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.local.resources.kind import Created, Kind, Properties, Site, given, kind, tag_map, text

_ALARM_ARGUMENTS = (
    "AlarmDescription ActionsEnabled OKActions AlarmActions InsufficientDataActions MetricName Namespace Statistic "
    "ExtendedStatistic Dimensions Period Unit EvaluationPeriods DatapointsToAlarm Threshold ComparisonOperator "
    "TreatMissingData EvaluateLowSampleCountPercentile Metrics Tags ThresholdMetricId"
)


def role(site: Site, properties: Properties) -> Created:
    """AWS::IAM::Role with its policies."""
    iam = site.client("iam")
    name = properties.get("RoleName") or site.name()
    made = iam.create_role(
        RoleName=name,
        AssumeRolePolicyDocument=text(properties["AssumeRolePolicyDocument"]),
        **given(properties, "Description", "MaxSessionDuration", "Path", "PermissionsBoundary", "Tags"),
    )["Role"]
    put_role_policies(site, name, properties)
    return Created(name, {"Arn": made["Arn"], "RoleId": made["RoleId"]})


def put_role_policies(site: Site, name: str, properties: Properties) -> None:
    """Give a role the policies that its template names."""
    iam = site.client("iam")
    for arn in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    for policy in properties.get("Policies", []):
        document = text(policy["PolicyDocument"])
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)


def inline_policy(site: Site, properties: Properties) -> Created:
    """AWS::IAM::Policy, which is inline in each of its roles."""
    for name in properties["Roles"]:
        site.client("iam").put_role_policy(
            RoleName=name, PolicyName=properties["PolicyName"], PolicyDocument=text(properties["PolicyDocument"])
        )
    return Created(properties["PolicyName"])


def managed_policy(site: Site, properties: Properties) -> Created:
    """AWS::IAM::ManagedPolicy."""
    iam = site.client("iam")
    made = iam.create_policy(
        PolicyName=properties.get("ManagedPolicyName") or site.name(limit=128),
        PolicyDocument=text(properties["PolicyDocument"]),
        **given(properties, "Description", "Path"),
    )["Policy"]
    for name in properties.get("Roles", []):
        iam.attach_role_policy(RoleName=name, PolicyArn=made["Arn"])
    return Created(made["Arn"], {"PolicyArn": made["Arn"]})


def alarm(site: Site, properties: Properties) -> Created:
    """AWS::CloudWatch::Alarm."""
    name = properties.get("AlarmName") or site.name(limit=255)
    site.client("cloudwatch").put_metric_alarm(AlarmName=name, **given(properties, *_ALARM_ARGUMENTS.split()))
    return Created(name, {"Arn": site.arn("cloudwatch", f"alarm:{name}")})


def composite_alarm(site: Site, properties: Properties) -> Created:
    """AWS::CloudWatch::CompositeAlarm."""
    name = properties.get("AlarmName") or site.name(limit=255)
    site.client("cloudwatch").put_composite_alarm(
        AlarmName=name,
        **given(properties, "AlarmRule", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "Tags"),
    )
    return Created(name, {"Arn": site.arn("cloudwatch", f"alarm:{name}")})


def dashboard(site: Site, properties: Properties) -> Created:
    """AWS::CloudWatch::Dashboard."""
    name = properties.get("DashboardName") or site.name(limit=255)
    site.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=text(properties["DashboardBody"]))
    return Created(name)


def log_group(site: Site, properties: Properties) -> Created:
    """AWS::Logs::LogGroup."""
    logs = site.client("logs")
    name = properties.get("LogGroupName") or site.name(limit=512)
    logs.create_log_group(logGroupName=name, tags=tag_map(properties), **given(properties, kmsKeyId="KmsKeyId"))
    if "RetentionInDays" in properties:
        logs.put_retention_policy(logGroupName=name, retentionInDays=properties["RetentionInDays"])
    return Created(name, {"Arn": site.arn("logs", f"log-group:{name}:*")})


def parameter(site: Site, properties: Properties) -> Created:
    """AWS::SSM::Parameter."""
    name = properties.get("Name") or site.name()
    site.client("ssm").put_parameter(
        Name=name, **given(properties, "Type", "Value", "Description", "Tier", "AllowedPattern")
    )
    return Created(name, {"Type": properties["Type"], "Value": properties["Value"]})


KINDS: Mapping[str, Kind] = {
    "AWS::IAM::Role": kind(
        role,
        "RoleName AssumeRolePolicyDocument ManagedPolicyArns Policies Description MaxSessionDuration Path "
        "PermissionsBoundary Tags",
    ),
    "AWS::IAM::Policy": kind(inline_policy, "PolicyName PolicyDocument Roles"),
    "AWS::IAM::ManagedPolicy": kind(managed_policy, "ManagedPolicyName PolicyDocument Description Path Roles"),
    "AWS::CloudWatch::Alarm": kind(alarm, "AlarmName " + _ALARM_ARGUMENTS),
    "AWS::CloudWatch::CompositeAlarm": kind(
        composite_alarm, "AlarmName AlarmRule AlarmDescription ActionsEnabled OKActions AlarmActions Tags"
    ),
    "AWS::CloudWatch::Dashboard": kind(dashboard, "DashboardName DashboardBody", harmless="Tags"),
    "AWS::Logs::LogGroup": kind(
        log_group,
        "LogGroupName RetentionInDays KmsKeyId Tags",
        harmless="LogGroupClass",  # what storing and searching logs costs
    ),
    "AWS::SSM::Parameter": kind(parameter, "Name Type Value Description Tier AllowedPattern", harmless="Tags"),
}
