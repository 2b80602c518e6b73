"""No event disappears: every hop retries, ends in a queue that somebody watches, or is looked for by reconcile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Resource, Templates

DAY = 24 * 3600


def target(templates: Templates, path: str) -> dict[str, Any]:
    (only,) = templates.at(path).properties["Targets"]
    return dict(only)


def watched(templates: Templates, queue: Resource) -> bool:
    return any(
        alarm.properties["Namespace"] == "AWS/SQS"
        and alarm.properties["MetricName"] == "ApproximateNumberOfMessagesVisible"
        and alarm.properties["Dimensions"][0]["Value"] == {"Fn::GetAtt": [queue.logical_id, "QueueName"]}
        for alarm in templates.of("AWS::CloudWatch::Alarm")
    )


def test_both_kinds_of_raw_events_and_no_others_go_to_ingest(templates: Templates) -> None:
    pattern = templates.at("Ingest/RawObjects").properties["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert sorted(pattern["detail-type"]) == ["Object Created", "Object Deleted"]
    (bucket,) = pattern["detail"]["bucket"]["name"]
    assert templates.at("Raw").logical_id in bucket["Fn::ImportValue"]


def test_undelivered_events_are_kept_after_a_whole_day_of_tries(templates: Templates) -> None:
    for rule in ("Ingest/RawObjects", "Warehouse/TablePublished"):
        goal = target(templates, rule)
        assert goal["RetryPolicy"] == {"MaximumEventAgeInSeconds": DAY, "MaximumRetryAttempts": 185}
        assert "DeadLetterConfig" in goal


def test_eventbridge_may_write_to_every_queue_that_a_rule_names(templates: Templates) -> None:
    writable = {
        (queue["Ref"], statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"][0])
        for policy in templates.of("AWS::SQS::QueuePolicy")
        for queue in policy.properties["Queues"]
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and statement["Principal"] == {"Service": "events.amazonaws.com"}
    }
    needed = set()
    for rule in templates.of("AWS::Events::Rule"):
        for goal in rule.properties["Targets"]:
            for arn in (goal["Arn"], goal.get("DeadLetterConfig", {}).get("Arn", {})):
                if "Queue" in str(arn) or "Undelivered" in str(arn):
                    needed.add((arn["Fn::GetAtt"][0], rule.logical_id))
    assert len(needed) == 6
    assert needed <= writable


def test_message_stays_hidden_for_six_times_the_functions_timeout(templates: Templates) -> None:
    function = templates.at("Ingest/Ingest/Function").properties
    (mapping,) = templates.of("AWS::Lambda::EventSourceMapping")
    queue = templates.at("Ingest/Queue").properties
    longest = 6 * function["Timeout"] + mapping.properties["MaximumBatchingWindowInSeconds"]
    assert queue["VisibilityTimeout"] >= longest


def test_one_bad_message_does_not_send_its_batch_back(templates: Templates) -> None:
    (mapping,) = templates.of("AWS::Lambda::EventSourceMapping")
    assert mapping.properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_poison_message_ends_in_the_dead_letters(templates: Templates) -> None:
    redrive = templates.at("Ingest/Queue").properties["RedrivePolicy"]
    dead = templates.at("Ingest/DeadLetters")
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [dead.logical_id, "Arn"]}
    assert 3 <= redrive["maxReceiveCount"] <= 10
    assert dead.properties["MessageRetentionPeriod"] == 14 * DAY


def test_every_queue_of_failures_has_an_alarm(templates: Templates) -> None:
    failures = [queue for queue in templates.of("AWS::SQS::Queue") if "RedrivePolicy" not in queue.properties]
    assert len(failures) == 4
    assert all(watched(templates, queue) for queue in failures)


def test_queues_are_encrypted_and_refuse_plain_text(templates: Templates) -> None:
    closed = {
        queue["Ref"]
        for policy in templates.of("AWS::SQS::QueuePolicy")
        for queue in policy.properties["Queues"]
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    for queue in templates.of("AWS::SQS::Queue"):
        assert queue.properties["SqsManagedSseEnabled"] is True
        assert queue.logical_id in closed


def test_bucket_is_compared_with_the_ledger_every_quarter_of_an_hour(templates: Templates) -> None:
    assert templates.at("Ingest/ReconcileSchedule").properties["ScheduleExpression"] == "rate(15 minutes)"
    function = templates.at("Ingest/Reconcile/Function").logical_id
    assert target(templates, "Ingest/ReconcileSchedule")["Arn"] == {"Fn::GetAtt": [function, "Arn"]}


def test_published_table_starts_the_marts(templates: Templates) -> None:
    pattern = templates.at("Warehouse/TablePublished").properties["EventPattern"]
    # Two environments of one account share the bus: one must not start the other's marts.
    assert pattern == {
        "source": ["sluice"],
        "detail-type": ["TablePublished"],
        "detail": {"database": [templates.outputs["Database"]]},
    }
    machine = templates.at("Warehouse/Marts/Machine").logical_id
    assert target(templates, "Warehouse/TablePublished")["Arn"] == {"Ref": machine}


def test_alarms_reach_the_topic_and_cloudwatch_may_publish_to_it(templates: Templates) -> None:
    (topic,) = templates.of("AWS::SNS::Topic")
    for alarm in templates.of("AWS::CloudWatch::Alarm"):
        assert alarm.properties["AlarmActions"] == [{"Ref": topic.logical_id}]
        assert alarm.properties["AlarmDescription"]
    (policy,) = templates.of("AWS::SNS::TopicPolicy")
    allowed = [s for s in policy.properties["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    services = {statement["Principal"]["Service"] for statement in allowed}
    assert services == {"cloudwatch.amazonaws.com", "events.amazonaws.com"}
