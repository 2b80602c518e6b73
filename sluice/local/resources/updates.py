"""How a type that is deployed takes new properties, and how it goes. A type that is not here is refused: see `KINDS`.

Most of the SDK's put calls replace what is there: for those updating is creating once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.local.resources import compute, governance, messaging, storage
from sluice.local.resources.kind import Created, Properties, Site

Update = Callable[[Site, Properties, Created], Created]
Delete = Callable[[Site, Created], object]


def _again(create: Callable[[Site, Properties], Created]) -> Update:
    return lambda site, properties, _created: create(site, properties)


def _role(site: Site, properties: Properties, created: Created) -> Created:
    iam = site.client("iam")
    for name in iam.list_role_policies(RoleName=created.ref)["PolicyNames"]:
        if name in {policy["PolicyName"] for policy in properties.get("Policies", [])}:
            iam.delete_role_policy(RoleName=created.ref, PolicyName=name)
    governance.put_role_policies(site, created.ref, properties)
    return created


def _permission(site: Site, properties: Properties, created: Created) -> Created:
    site.client("lambda").remove_permission(FunctionName=properties["FunctionName"], StatementId=created.ref)
    return compute.permission(site, properties)


def _rule(site: Site, properties: Properties, created: Created) -> Created:
    _clear_rule(site, created)
    return messaging.rule(site, properties)


def _clear_rule(site: Site, created: Created) -> None:
    events = site.client("events")
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=created.ref)["Targets"]]
    if targets:
        events.remove_targets(Rule=created.ref, Ids=targets)


def _delete_rule(site: Site, created: Created) -> None:
    _clear_rule(site, created)
    site.client("events").delete_rule(Name=created.ref)


UPDATES: Mapping[str, Update] = {
    "AWS::Lambda::Function": compute.update_function,
    "AWS::StepFunctions::StateMachine": compute.update_state_machine,
    "AWS::Lambda::Permission": _permission,
    "AWS::IAM::Role": _role,
    "AWS::IAM::Policy": _again(governance.inline_policy),
    "AWS::CloudWatch::Alarm": _again(governance.alarm),
    "AWS::CloudWatch::CompositeAlarm": _again(governance.composite_alarm),
    "AWS::CloudWatch::Dashboard": _again(governance.dashboard),
    "AWS::Events::Rule": _rule,
    "AWS::S3::BucketPolicy": _again(storage.bucket_policy),
    "AWS::SQS::QueuePolicy": _again(messaging.queue_policy),
    "AWS::SNS::TopicPolicy": _again(messaging.topic_policy),
}

DELETES: Mapping[str, Delete] = {
    "AWS::CloudWatch::Alarm": lambda site, created: site.client("cloudwatch").delete_alarms(AlarmNames=[created.ref]),
    "AWS::CloudWatch::CompositeAlarm": lambda site, created: site.client("cloudwatch").delete_alarms(
        AlarmNames=[created.ref]
    ),
    "AWS::CloudWatch::Dashboard": lambda site, created: site.client("cloudwatch").delete_dashboards(
        DashboardNames=[created.ref]
    ),
    "AWS::Events::Rule": _delete_rule,
    "AWS::Logs::LogGroup": lambda site, created: site.client("logs").delete_log_group(logGroupName=created.ref),
}
