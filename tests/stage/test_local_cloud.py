"""The whole offline AWS on a small pipeline: bucket, rule, queue, function, state machine, schedule."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sluice.local.cloud import LocalCloud
from sluice.local.faults import Fault
from tests.stage.local_world import function, open_function, open_queues, resource, role, write_assembly

# Notes one item for each time it sees a message; keys with "poison" fail, keys with "twice" fail once.
INGEST = """
import json, os, boto3
table, machine = os.environ["SLUICE_LEDGER_TABLE"], os.environ["MACHINE"]
dynamodb, states = boto3.client("dynamodb"), boto3.client("stepfunctions")

def handler(event, context):
    failed = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        key, count = body["detail"]["object"]["key"], record["attributes"]["ApproximateReceiveCount"]
        note = {"pk": key, "sk": record["messageId"] + "/" + count, "kind": body["detail-type"],
                "version": body["detail"]["object"].get("version-id", ""), "event": body["id"]}
        dynamodb.put_item(TableName=table, Item={name: {"S": value} for name, value in note.items()})
        if "poison" in key or ("twice" in key and count == "1"):
            failed.append({"itemIdentifier": record["messageId"]})
        elif "run" in key:
            name = "run-" + record["messageId"]
            states.start_execution(stateMachineArn=machine, name=name, input=json.dumps({"key": key}))
    return {"batchItemFailures": failed}
"""
# A step: fails as often as its input asks for.
STEP = """
import boto3, json, os, uuid
def handler(event, context):
    print("step", json.dumps(event))
    if event.get("detail", {}).get("fail") or event.get("fail"):
        raise RuntimeError("asked to fail")
    if "key" in event:
        entry = {"Source": "sluice", "DetailType": "TablePublished", "Detail": json.dumps({"table": event["key"]})}
        boto3.client("events").put_events(Entries=[entry])
    return {"who": boto3.client("sts").get_caller_identity()["Arn"]}
"""
DEFINITION = {
    "StartAt": "Step",
    "States": {
        "Step": {
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload",
            "Parameters": {"FunctionName": "${Step}", "Payload.$": "$"}, "Next": "Pause",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 30, "MaxAttempts": 2}],
        },
        "Pause": {"Type": "Wait", "Seconds": 600, "End": True},
    },
}  # fmt: skip
KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
ATTRIBUTES = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
STEP_TARGET = {"Id": "step", "Arn": {"Fn::GetAtt": ["Step", "Arn"]}}
RESOURCES: Mapping[str, Any] = {
    "Role": role(),
    "StatesRole": role("states.amazonaws.com"),
    "EventsRole": role("events.amazonaws.com"),
    "Raw": resource(
        "AWS::S3::Bucket",
        {
            "VersioningConfiguration": {"Status": "Enabled"},
            "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        },
    ),
    "Ledger": resource(
        "AWS::DynamoDB::Table",
        {"KeySchema": KEYS, "AttributeDefinitions": ATTRIBUTES, "BillingMode": "PAY_PER_REQUEST"},
    ),
    "Dead": resource("AWS::SQS::Queue", {}),
    "Lost": resource("AWS::SQS::Queue", {}),
    "Queue": resource(
        "AWS::SQS::Queue",
        {
            "VisibilityTimeout": 120,
            "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3},
        },
    ),
    "OnObject": resource(
        "AWS::Events::Rule",
        {
            "EventPattern": {"source": ["aws.s3"], "detail": {"bucket": {"name": [{"Ref": "Raw"}]}}},
            "Targets": [{"Id": "queue", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}],
        },
    ),
    "OnPublished": resource(
        "AWS::Events::Rule",
        {
            "EventPattern": {"source": ["sluice"], "detail-type": ["TablePublished"]},
            "Targets": [
                {
                    "Id": "marts", "Arn": {"Ref": "Marts"}, "RoleArn": {"Fn::GetAtt": ["EventsRole", "Arn"]},
                    "InputPath": "$.detail",
                }
            ],
        },
    ),
    "OnFailure": resource(
        "AWS::Events::Rule",
        {
            "EventPattern": {"source": ["aws.states"], "detail": {"status": ["FAILED"]}},
            "Targets": [{"Id": "told", "Arn": {"Fn::GetAtt": ["Told", "Arn"]}}],
        },
    ),
    "Told": resource("AWS::SQS::Queue", {}),
    "OnNowhere": resource(
        "AWS::Events::Rule",
        {
            "EventPattern": {"source": ["nowhere"]},
            "Targets": [
                {
                    "Id": "gone", "Arn": {"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:gone"},
                    "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Lost", "Arn"]}},
                }
            ],
        },
    ),
    "Reconcile": resource(
        "AWS::Events::Rule",
        {"ScheduleExpression": "rate(15 minutes)", "Targets": [{**STEP_TARGET, "Input": '{"fail": true}'}]},
    ),
    "OpenQueues": open_queues("Queue", "Told", "Lost"),
    "OpenStep": open_function("Step"),
    "Ingest": function("ingest", environment={"SLUICE_LEDGER_TABLE": {"Ref": "Ledger"}, "MACHINE": {"Ref": "Run"}}),
    "Step": function("step"),
    "Mapping": resource(
        "AWS::Lambda::EventSourceMapping",
        {
            "FunctionName": {"Ref": "Ingest"}, "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}, "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumBatchingWindowInSeconds": 5,
        },
    ),
    "Run": resource(
        "AWS::StepFunctions::StateMachine",
        {
            "DefinitionString": json.dumps(DEFINITION), "RoleArn": {"Fn::GetAtt": ["StatesRole", "Arn"]},
            "DefinitionSubstitutions": {"Step": {"Fn::GetAtt": ["Step", "Arn"]}},
        },
    ),
    "Marts": resource(
        "AWS::StepFunctions::StateMachine",
        {
            "DefinitionString": '{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}',
            "RoleArn": {"Fn::GetAtt": ["StatesRole", "Arn"]},
        },
    ),
}  # fmt: skip
OUTPUTS = {name: {"Value": {"Ref": name}} for name in ("Raw", "Ledger", "Dead", "Lost", "Told", "Step", "Run", "Marts")}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = write_assembly(
        tmp_path_factory.mktemp("cloud") / "cdk.out",
        {"World": {"Resources": RESOURCES, "Outputs": OUTPUTS}},
        assets={"ingest": {"handler.py": INGEST}, "step": {"handler.py": STEP}},
    )
    with LocalCloud(folder) as made:
        yield made


@pytest.fixture
def cloud(world: LocalCloud) -> Iterator[LocalCloud]:
    yield world
    world.wait_until_quiet(30)
    world.gateway.faults.clear()


def put(cloud: LocalCloud, key: str) -> str:
    version: str = cloud.client("s3").put_object(Bucket=cloud.outputs["Raw"], Key=key, Body=b"1")["VersionId"]
    return version


def notes(cloud: LocalCloud, key: str) -> list[dict[str, str]]:
    """What ingest has seen of a key."""
    found = cloud.client("dynamodb").query(
        TableName=cloud.outputs["Ledger"], KeyConditionExpression="pk = :key",
        ExpressionAttributeValues={":key": {"S": key}},
    )  # fmt: skip
    return [{name: value["S"] for name, value in item.items()} for item in found["Items"]]


def bodies(cloud: LocalCloud, queue: str) -> list[dict[str, Any]]:
    got = cloud.client("sqs").receive_message(
        QueueUrl=cloud.outputs[queue], MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [json.loads(message["Body"]) for message in got.get("Messages", [])]


def test_object_reaches_its_function_once_with_its_version(cloud: LocalCloud) -> None:
    version = put(cloud, "plain")
    cloud.wait_until_quiet(30)
    assert [(note["kind"], note["version"]) for note in notes(cloud, "plain")] == [("Object Created", version)]


def test_deletion_reaches_the_function_with_the_markers_version(cloud: LocalCloud) -> None:
    put(cloud, "deleted")
    marker = cloud.client("s3").delete_object(Bucket=cloud.outputs["Raw"], Key="deleted")["VersionId"]
    cloud.wait_until_quiet(30)
    assert {"Object Deleted": marker}.items() <= {
        note["kind"]: note["version"] for note in notes(cloud, "deleted")
    }.items()


def test_only_the_failed_messages_of_a_batch_come_again(cloud: LocalCloud) -> None:
    for key in ("good", "twice"):
        put(cloud, key)
    cloud.wait_until_quiet(30)
    assert (len(notes(cloud, "good")), len(notes(cloud, "twice"))) == (1, 2)


def test_message_that_always_fails_ends_in_the_dead_letter_queue_after_three_receives(cloud: LocalCloud) -> None:
    put(cloud, "poison")
    cloud.wait_until_quiet(30)
    assert len(notes(cloud, "poison")) == 3
    assert [body["detail"]["object"]["key"] for body in bodies(cloud, "Dead")] == ["poison"]


def test_duplicated_event_arrives_twice_under_one_event_id(cloud: LocalCloud) -> None:
    put(cloud, "duplicate")
    cloud.wait_until_quiet(30)
    cloud.duplicate_event(bucket=cloud.outputs["Raw"], key="duplicate")
    cloud.wait_until_quiet(30)
    seen = notes(cloud, "duplicate")
    assert len(seen) == 2
    assert len({note["event"] for note in seen}) == 1


def test_execution_runs_as_its_role_calls_the_function_and_its_event_starts_the_next_machine(cloud: LocalCloud) -> None:
    put(cloud, "run/a")
    cloud.wait_until_quiet(30)
    runs = [execution for execution in cloud.executions() if execution.input == {"key": "run/a"}]
    assert [run.status for run in runs] == ["SUCCEEDED"]
    assert "assumed-role/World-Role" in runs[0].output["who"]
    assert runs[0].transitions == 2
    marts = [execution for execution in cloud.executions() if execution.input == {"table": "run/a"}]
    assert [run.status for run in marts] == ["SUCCEEDED"]
    principals = {call.operation: call.principal for call in cloud.calls}
    assert principals["Invoke"].startswith("arn:aws:iam::123456789012:role/World-StatesRole")


def test_execution_that_fails_says_the_functions_error_after_its_retries(cloud: LocalCloud) -> None:
    before = len(cloud.invocations)
    cloud.client("stepfunctions").start_execution(stateMachineArn=cloud.outputs["Run"], input='{"fail": true}')
    cloud.wait_until_quiet(30)
    failed = cloud.executions()[-1]
    assert (failed.status, failed.error) == ("FAILED", "RuntimeError")
    assert "asked to fail" in failed.cause
    assert len(cloud.invocations) - before == 3
    assert [body["detail"]["name"] for body in bodies(cloud, "Told")] == [failed.name]


def test_finished_execution_name_cannot_be_used_again(cloud: LocalCloud) -> None:
    states = cloud.client("stepfunctions")
    for _ in range(2):  # while it runs, the same name and input are the same execution
        states.start_execution(stateMachineArn=cloud.outputs["Run"], name="one", input="{}")
    cloud.wait_until_quiet(30)
    assert sum(execution.name == "one" for execution in cloud.executions()) == 1
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=cloud.outputs["Run"], name="one", input="{}")


def test_schedule_fires_when_told_and_a_failing_function_is_tried_three_times(cloud: LocalCloud) -> None:
    before = len(cloud.invocations)
    cloud.tick("reconcile")
    cloud.wait_until_quiet(30)
    assert Counter(call.failed for call in cloud.invocations[before:]) == {True: 3}
    assert "RuntimeError" in cloud.undelivered[-1].reason
    with pytest.raises(LookupError):
        cloud.tick("no such schedule")


def test_event_that_cannot_be_delivered_goes_to_the_targets_dead_letter_queue(cloud: LocalCloud) -> None:
    entry = {"Source": "nowhere", "DetailType": "x", "Detail": '{"a": 1}'}
    cloud.client("events").put_events(Entries=[entry])
    cloud.wait_until_quiet(30)
    assert [body["detail"] for body in bodies(cloud, "Lost")] == [{"a": 1}]


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessageBatch"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_poller_that_fails_at_a_call_loses_no_message(cloud: LocalCloud, operation: str, when: Any) -> None:
    key = f"{operation} {when}"
    cloud.inject(Fault(match=("sqs", operation), when=when, kind="drop", times=4))  # more than the SDK tries
    put(cloud, key)
    cloud.wait_until_quiet(30)
    assert notes(cloud, key)
    assert bodies(cloud, "Dead") == [] or all(body["detail"]["object"]["key"] != key for body in bodies(cloud, "Dead"))


def test_environment_lets_another_process_use_this_cloud(cloud: LocalCloud) -> None:
    environment = cloud.environment()
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint
    assert environment["SLUICE_LEDGER_TABLE"] == cloud.outputs["Ledger"]


def test_logs_of_a_function_are_found_by_its_place_in_the_template(cloud: LocalCloud) -> None:
    cloud.client("lambda").invoke(FunctionName=cloud.outputs["Step"], Payload=b'{"marker": 1}')
    assert 'step {"marker": 1}' in cloud.logs("Step")
    with pytest.raises(LookupError):
        cloud.logs("nobody")


def test_work_is_counted_without_the_administrators_calls(cloud: LocalCloud) -> None:
    before = cloud.work()
    put(cloud, "counted")
    cloud.wait_until_quiet(30)
    after = cloud.work()
    assert after.events - before.events == 1
    assert after.requests - before.requests == 1
    assert after.calls["dynamodb.PutItem"] - before.calls.get("dynamodb.PutItem", 0) == 1
    assert "s3.PutObject" not in after.calls
