"""SQS, SNS, EventBridge and its scheduler: messaging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.local.resources.kind import Created, Kind, Properties, Site, given, kind, tag_map, text
from sluice.local.template import UnsupportedTemplate

_DOCUMENTS = ("RedrivePolicy", "RedriveAllowPolicy")
_QUEUE_ATTRIBUTES = (
    "VisibilityTimeout MessageRetentionPeriod DelaySeconds MaximumMessageSize ReceiveMessageWaitTimeSeconds "
    "SqsManagedSseEnabled KmsMasterKeyId KmsDataKeyReusePeriodSeconds FifoQueue ContentBasedDeduplication "
    "RedrivePolicy RedriveAllowPolicy"
)
# What the pump can deliver to.
_DELIVERABLE = frozenset({"sqs", "states", "lambda", "sns"})


def queue(site: Site, properties: Properties) -> Created:
    """AWS::SQS::Queue."""
    name = properties.get("QueueName") or site.name(limit=75) + (".fifo" if properties.get("FifoQueue") else "")
    attributes = {
        attribute: text(properties[attribute]) if attribute in _DOCUMENTS else _word(properties[attribute])
        for attribute in _QUEUE_ATTRIBUTES.split()
        if attribute in properties
    }
    url = site.client("sqs").create_queue(QueueName=name, Attributes=attributes, tags=tag_map(properties))["QueueUrl"]
    return Created(url, {"Arn": site.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def queue_policy(site: Site, properties: Properties) -> Created:
    """AWS::SQS::QueuePolicy."""
    for url in properties["Queues"]:
        policy = {"Policy": text(properties["PolicyDocument"])}
        site.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=policy)
    return Created(site.name())


def topic(site: Site, properties: Properties) -> Created:
    """AWS::SNS::Topic."""
    name = properties.get("TopicName") or site.name(limit=256)
    attributes = {key: _word(properties[key]) for key in ("DisplayName", "KmsMasterKeyId") if key in properties}
    made = site.client("sns").create_topic(Name=name, Attributes=attributes, Tags=list(properties.get("Tags", [])))
    return Created(made["TopicArn"], {"TopicArn": made["TopicArn"], "TopicName": name})


def topic_policy(site: Site, properties: Properties) -> Created:
    """AWS::SNS::TopicPolicy."""
    for arn in properties["Topics"]:
        site.client("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="Policy", AttributeValue=text(properties["PolicyDocument"])
        )
    return Created(site.name())


def subscription(site: Site, properties: Properties) -> Created:
    """AWS::SNS::Subscription."""
    attributes = {
        key: text(properties[key]) if key == "FilterPolicy" else _word(properties[key])
        for key in ("FilterPolicy", "RawMessageDelivery")
        if key in properties
    }
    made = site.client("sns").subscribe(
        **given(properties, "TopicArn", "Protocol", "Endpoint"), Attributes=attributes, ReturnSubscriptionArn=True
    )
    return Created(made["SubscriptionArn"])


def rule(site: Site, properties: Properties) -> Created:
    """AWS::Events::Rule with its targets."""
    events = site.client("events")
    name = properties.get("Name") or site.name()
    if properties.get("EventBusName", "default") != "default":
        raise UnsupportedTemplate("event buses other than default", stack=site.stack, resource=site.logical_id)
    arguments = given(properties, "Description", "ScheduleExpression", "State", "RoleArn", "Tags")
    if "EventPattern" in properties:
        arguments["EventPattern"] = text(properties["EventPattern"])
    made = events.put_rule(Name=name, **arguments)
    if targets := properties.get("Targets"):
        for target in targets:
            _deliverable(site, target["Arn"])
        events.put_targets(Rule=name, Targets=targets)
    return Created(name, {"Arn": made["RuleArn"]})


def schedule(site: Site, properties: Properties) -> Created:
    """AWS::Scheduler::Schedule."""
    _deliverable(site, properties["Target"]["Arn"])
    name = properties.get("Name") or site.name()
    arguments = given(
        properties, "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "State",
        "Target", "Description",
    )  # fmt: skip
    made = site.client("scheduler").create_schedule(Name=name, **arguments)
    return Created(name, {"Arn": made["ScheduleArn"]})


def schedule_group(site: Site, properties: Properties) -> Created:
    """AWS::Scheduler::ScheduleGroup."""
    name = properties.get("Name") or site.name()
    made = site.client("scheduler").create_schedule_group(Name=name, Tags=list(properties.get("Tags", [])))
    return Created(name, {"Arn": made["ScheduleGroupArn"]})


def _deliverable(site: Site, arn: str) -> None:
    service = arn.split(":")[2]
    if service not in _DELIVERABLE:
        raise UnsupportedTemplate(
            f"an event target of service {service} is not delivered to", stack=site.stack, resource=site.logical_id
        )


KINDS: Mapping[str, Kind] = {
    "AWS::SQS::Queue": kind(queue, "QueueName Tags " + _QUEUE_ATTRIBUTES),
    "AWS::SQS::QueuePolicy": kind(queue_policy, "Queues PolicyDocument"),
    "AWS::SNS::Topic": kind(topic, "TopicName DisplayName KmsMasterKeyId Tags"),
    "AWS::SNS::TopicPolicy": kind(topic_policy, "Topics PolicyDocument"),
    "AWS::SNS::Subscription": kind(subscription, "TopicArn Protocol Endpoint FilterPolicy RawMessageDelivery"),
    "AWS::Events::Rule": kind(
        rule, "Name Description EventPattern ScheduleExpression State RoleArn Targets EventBusName Tags"
    ),
    "AWS::Scheduler::Schedule": kind(
        schedule,
        "Name GroupName ScheduleExpression ScheduleExpressionTimezone FlexibleTimeWindow State Target Description",
    ),
    "AWS::Scheduler::ScheduleGroup": kind(schedule_group, "Name Tags"),
}
