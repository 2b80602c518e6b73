"""Canaries: each patch on moto is still needed, and still works. Red here means moto has changed under a patch."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.athena.models import AthenaBackend
from moto.athena.responses import AthenaResponse
from moto.awslambda.models import LambdaBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from moto.events.models import Rule
from moto.glue.models import FakeJob, FakeJobRun
from moto.glue.responses import GlueResponse
from moto.s3 import notifications
from moto.s3.models import S3Backend
from moto.sqs import models as sqs_models
from moto.sqs.models import Queue, SQSBackend, sqs_backends
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_factory as factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_glue as sfn_glue
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from sluice.local.pace import Pace
from sluice.local.principals import ACCOUNT
from sluice.local.seams import (
    athena_queries,
    dynamodb_transactions,
    eventbridge_targets,
    glue_jobs,
    glue_version,
    lambda_workers,
    s3_events,
    sqs_queues,
    stepfunctions,
)
from sluice.local.seams.patch import original, replace

KEYS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x", "region_name": "us-east-1"}


def client(service: str) -> Any:
    return boto3.client(service, **KEYS)  # type: ignore[call-overload]


@pytest.fixture(autouse=True)
def moto_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins with moto unpatched; what it installs is undone."""
    for owner, name in [
        (GlueResponse, "update_table"), (DynamoHandler, "transact_write_items"), (notifications, "send_event"),
        (S3Backend, "delete_object"), (Rule, "send_to_targets"), (LambdaBackend, "create_event_source_mapping"),
        (FakeJob, "start_job_run"), (FakeJobRun, "as_dict"), (AthenaBackend, "start_query_execution"),
        (AthenaResponse, "start_query_execution"), (AthenaResponse, "get_query_execution"),
        (SQSBackend, "is_message_valid_based_on_retention_period"), (Queue, "messages"), (Queue, "delete_message"),
        (Queue, "approximate_number_of_messages_delayed"), (Queue, "approximate_number_of_messages_not_visible"),
        (AthenaResponse, "get_query_results"), (StepFunctionsParserBackend, "start_execution"),
    ]:  # fmt: skip
        monkeypatch.setattr(owner, name, original(owner, name))
    monkeypatch.delattr(Table, "__deepcopy__", raising=False)
    with mock_aws():
        yield


def test_patch_installed_twice_wraps_moto_once() -> None:
    class Owner:
        value = staticmethod(lambda: 1)

    for _ in range(2):
        replace(Owner, "value", lambda before: lambda: before() + 1)
    assert Owner.value() == 2


# -- Glue UpdateTable


def second_commit_on_a_stale_version() -> None:
    glue = client("glue")
    glue.create_database(DatabaseInput={"Name": "d"})
    glue.create_table(DatabaseName="d", TableInput={"Name": "t"})
    for owner in ("first", "second"):
        glue.update_table(DatabaseName="d", TableInput={"Name": "t", "Owner": owner}, VersionId="1")


def test_moto_alone_loses_one_of_two_concurrent_commits() -> None:
    second_commit_on_a_stale_version()
    assert client("glue").get_table(DatabaseName="d", Name="t")["Table"]["Owner"] == "second"


def test_with_the_seam_the_second_of_two_concurrent_commits_is_refused() -> None:
    glue_version.install()
    with pytest.raises(ClientError, match="ConcurrentModificationException"):
        second_commit_on_a_stale_version()
    assert client("glue").get_table(DatabaseName="d", Name="t")["Table"]["Owner"] == "first"


# -- DynamoDB transactions


def table() -> Any:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="t",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


def key(sk: str) -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"S": sk}}


def put_once(dynamodb: Any, token: str) -> None:
    item = {"Put": {"TableName": "t", "Item": key("a"), "ConditionExpression": "attribute_not_exists(pk)"}}
    dynamodb.transact_write_items(TransactItems=[item], ClientRequestToken=token)


def test_moto_alone_fails_a_transaction_that_is_sent_again() -> None:
    dynamodb = table()
    put_once(dynamodb, "one")
    with pytest.raises(ClientError, match="TransactionCanceled"):
        put_once(dynamodb, "one")


def test_with_the_seam_a_transaction_sent_again_answers_as_before_and_another_one_fails() -> None:
    dynamodb_transactions.install()
    dynamodb = table()
    put_once(dynamodb, "one")
    put_once(dynamodb, "one")
    with pytest.raises(ClientError, match="TransactionCanceled"):
        put_once(dynamodb, "two")


def test_with_the_seam_a_cancelled_transaction_leaves_nothing_behind() -> None:
    dynamodb_transactions.install()
    dynamodb = table()
    dynamodb.put_item(TableName="t", Item={**key("a"), "n": {"N": "1"}})
    dynamodb.put_item(TableName="t", Item={**key("b"), "n": {"N": "1"}})
    add = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    with pytest.raises(ClientError, match="TransactionCanceled"):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Update": {"TableName": "t", "Key": key("a"), **add}},
                {"Delete": {"TableName": "t", "Key": key("b")}},
                {"Put": {"TableName": "t", "Item": key("new")}},
                {"ConditionCheck": {"TableName": "t", "Key": key("c"), "ConditionExpression": "attribute_exists(pk)"}},
            ]
        )
    assert sorted((item["sk"]["S"], item["n"]["N"]) for item in dynamodb.scan(TableName="t")["Items"]) == [
        ("a", "1"),
        ("b", "1"),
    ]


def tables_that_moto_remembers() -> int:
    """Put an item in a transaction; how many tables more moto holds for ever after it."""
    dynamodb = table()
    before = len(Table.instances_tracked)
    put_once(dynamodb, "one")
    return len(Table.instances_tracked) - before


def test_moto_alone_holds_the_backup_of_each_transaction_for_ever() -> None:
    assert tables_that_moto_remembers() > 0


def test_with_the_seam_a_transaction_leaves_no_backup_behind() -> None:
    dynamodb_transactions.install()
    assert tables_that_moto_remembers() == 0


# -- SQS


def readings_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> int:
    """Receive ten of twenty messages, and count how often moto asks for the time."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for start in (0, 10):
        sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": str(at), "MessageBody": str(at)} for at in range(start, start + 10)]
        )
    clock, asked = sqs_models.unix_time_millis, []
    monkeypatch.setattr(sqs_models, "unix_time_millis", lambda: asked.append(1) or clock())
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert len({message["Body"] for message in received}) == 10
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    names = ("", "Delayed", "NotVisible")
    assert [counted[f"ApproximateNumberOfMessages{name}"] for name in names] == ["10", "0", "10"]
    return len(asked)


def test_moto_alone_counts_the_whole_queue_for_each_message(monkeypatch: pytest.MonkeyPatch) -> None:
    assert readings_of_the_clock(monkeypatch) > 1000


def test_with_the_seam_a_long_queue_is_counted_once_and_counted_right(monkeypatch: pytest.MonkeyPatch) -> None:
    sqs_queues.install()
    assert readings_of_the_clock(monkeypatch) < 100


class LateArrival(list[Any]):
    """Messages of a queue. When somebody goes through them for the `turn`th time, somebody else sends one more."""

    def __init__(self, messages: list[Any], turn: int, send: Callable[[], object]) -> None:
        super().__init__(messages)
        self.turn, self.sender = turn, threading.Thread(target=send)

    def __iter__(self) -> Iterator[Any]:
        self.turn -= 1
        *others, last = tuple(super().__iter__())
        yield from others
        if self.turn == 0:
            self.sender.start()
            self.sender.join(0.3)  # it has to wait if the queue is locked
        yield last


def left_after_a_late_arrival(turn: int) -> int:
    """Delete the last of two messages while a third arrives; return how many are left."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for body in ("first", "second"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2)["Messages"]
    queue = sqs_backends[ACCOUNT]["us-east-1"].queues["q"]
    third = deepcopy(queue._messages[0])
    messages = queue._messages = LateArrival(queue._messages, turn, lambda: queue.add_message(third))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received[1]["ReceiptHandle"])
    messages.sender.join()
    return len(queue._messages)


def test_moto_alone_loses_a_message_that_arrives_while_another_is_deleted() -> None:
    assert left_after_a_late_arrival(turn=2) == 1  # it looks for the message first, then makes a list without it


def test_with_the_seam_a_message_that_arrives_meanwhile_stays() -> None:
    sqs_queues.install()
    assert left_after_a_late_arrival(turn=1) == 2


# -- S3 events


def versioned_bucket() -> Any:
    s3 = client("s3")
    s3.create_bucket(Bucket="raw-zone")
    s3.put_bucket_versioning(Bucket="raw-zone", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket="raw-zone", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    return s3


def test_moto_alone_gives_every_event_the_same_sequencer_and_none_for_a_delete_marker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(Rule, "send_to_targets", lambda _rule, event, **_: seen.append(event))
    client("events").put_rule(Name="r", EventPattern=json.dumps({"source": ["aws.s3"]}))
    s3 = versioned_bucket()
    s3.put_object(Bucket="raw-zone", Key="k", Body=b"1")
    s3.put_object(Bucket="raw-zone", Key="k", Body=b"2")
    s3.delete_object(Bucket="raw-zone", Key="k")
    seen = [event for event in seen if event["detail-type"] in {"Object Created", "Object Deleted"}]
    assert len(seen) == 2
    assert len({event["detail"]["object"]["sequencer"] for event in seen}) == 1


def test_with_the_seam_events_are_in_order_and_deletions_are_told() -> None:
    seen: list[tuple[str, dict[str, Any]]] = []
    s3_events.install(lambda kind, detail: seen.append((kind, detail)))
    s3 = versioned_bucket()
    first = s3.put_object(Bucket="raw-zone", Key="k", Body=b"1")["VersionId"]
    s3.put_object(Bucket="raw-zone", Key="k", Body=b"2")
    marker = s3.delete_object(Bucket="raw-zone", Key="k")["VersionId"]
    s3.delete_object(Bucket="raw-zone", Key="k", VersionId=first)
    s3.create_bucket(Bucket="quiet")
    s3.put_object(Bucket="quiet", Key="k", Body=b"1")
    assert [kind for kind, _ in seen] == ["Object Created", "Object Created", "Object Deleted", "Object Deleted"]
    assert [detail.get("deletion-type") for _, detail in seen[2:]] == ["Delete Marker Created", "Permanently Deleted"]
    assert [detail["object"]["version-id"] for _, detail in (seen[0], *seen[2:])] == [first, marker, first]
    sequencers = [detail["object"]["sequencer"] for _, detail in seen]
    assert sequencers == sorted(set(sequencers))


# -- EventBridge


def put_event_to_a_state_machine() -> None:
    events = client("events")
    events.put_rule(Name="r", EventPattern=json.dumps({"source": ["sluice"]}))
    events.put_rule(Name="other", EventPattern=json.dumps({"source": ["elsewhere"]}))
    events.put_rule(Name="off", EventPattern=json.dumps({"source": ["sluice"]}), State="DISABLED")
    events.put_rule(Name="timed", ScheduleExpression="rate(1 day)")
    arn = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m"
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r"}])
    events.put_events(Entries=[{"Source": "sluice", "DetailType": "TablePublished", "Detail": "{}"}])


def test_moto_alone_does_not_deliver_to_step_functions() -> None:
    with pytest.raises(NotImplementedError):
        put_event_to_a_state_machine()


def test_with_the_seam_only_matching_enabled_rules_hand_an_event_on() -> None:
    seen: list[tuple[str, str]] = []
    eventbridge_targets.install(lambda rule, event: seen.append((rule.name, event["detail-type"])))
    put_event_to_a_state_machine()
    assert seen == [("r", "TablePublished")]


# -- Lambda


def mapped_queue() -> Any:
    client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.13",
        Handler="h.h",
        Role=f"arn:aws:iam::{ACCOUNT}:role/r",
        Code={"ZipFile": b""},
    )
    client("sqs").create_queue(QueueName="q")
    client("lambda").create_event_source_mapping(FunctionName="f", EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:q")
    return sqs_backends[ACCOUNT]["us-east-1"].queues["q"]


def test_moto_alone_pushes_each_message_to_the_function() -> None:
    assert mapped_queue().lambda_event_source_mappings


def test_with_the_seam_messages_wait_and_invocations_come_to_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_workers.LambdaFunction, "invoke", original(lambda_workers.LambdaFunction, "invoke"))
    seen: list[tuple[str, bool]] = []

    def invoke(_function: Any, payload: str, asynchronous: bool) -> lambda_workers.Answer:
        seen.append((payload, asynchronous))
        return lambda_workers.Answer('{"errorType": "E"}', failed=True)

    lambda_workers.install(invoke)
    assert not mapped_queue().lambda_event_source_mappings
    answer = client("lambda").invoke(FunctionName="f", Payload=b'{"a": 1}')
    assert answer["FunctionError"] == "Unhandled"
    assert client("lambda").invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")["StatusCode"] == 202
    assert seen == [('{"a": 1}', False), ("{}", True)]


# -- Glue jobs


def run_of_a_job() -> dict[str, Any]:
    glue = client("glue")
    glue.create_job(Name="j", Role="r", Command={"Name": "glueetl"})
    run_id = glue.start_job_run(JobName="j")["JobRunId"]
    described: dict[str, Any] = glue.get_job_run(JobName="j", RunId=run_id)["JobRun"]
    return described


def test_moto_alone_says_that_a_job_without_a_script_succeeded() -> None:
    assert run_of_a_job()["JobRunState"] == "SUCCEEDED"


def test_with_the_seam_a_job_run_shows_what_became_of_it() -> None:
    def start(_job: Any, run: Any) -> None:
        run.status, run.sluice_error, run.sluice_seconds = "FAILED", "no script", 3.4

    glue_jobs.install(start)
    described = run_of_a_job()
    assert (described["JobRunState"], described["ErrorMessage"], described["ExecutionTime"]) == (
        "FAILED",
        "no script",
        3,
    )


# -- Athena


def answer_of_a_query() -> dict[str, Any]:
    athena = client("athena")
    athena.create_work_group(
        Name="w", Configuration={"ResultConfiguration": {"OutputLocation": "s3://results/athena/"}}
    )
    query = athena.start_query_execution(QueryString="SELECT 1", WorkGroup="w")["QueryExecutionId"]
    described = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
    return {
        "id": query,
        **described,
        "results": lambda **page: athena.get_query_results(QueryExecutionId=query, **page),
    }


def test_moto_alone_answers_every_query_with_nothing() -> None:
    answer = answer_of_a_query()
    assert answer["Status"]["State"] == "SUCCEEDED"
    assert answer["results"]()["ResultSet"]["Rows"] == []


def test_with_the_seam_a_query_has_typed_rows_pages_and_the_workgroups_place() -> None:
    seen: list[athena_queries.Query] = []

    def start(query: athena_queries.Query, finish: Any) -> None:
        seen.append(query)
        finish(athena_queries.QueryOutcome(columns=[("n", "decimal(5,2)")], rows=[["1.00"], [None]], scanned=7))

    athena_queries.install(start)
    answer = answer_of_a_query()
    assert answer["Statistics"]["DataScannedInBytes"] == 7
    assert seen[0].output == f"s3://results/athena/{answer['id']}.csv"
    first = answer["results"](MaxResults=2)
    rest = answer["results"](NextToken=first["NextToken"])
    assert [row["Data"] for row in first["ResultSet"]["Rows"]] == [[{"VarCharValue": "n"}], [{"VarCharValue": "1.00"}]]
    assert [row["Data"] for row in rest["ResultSet"]["Rows"]] == [[{}]]
    column = first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"][0]
    assert (column["Type"], column["Precision"], column["Scale"]) == ("decimal", 5, 2)


def test_with_the_seam_a_failed_query_says_why_and_has_no_results() -> None:
    athena_queries.install(lambda _query, finish: finish(athena_queries.QueryOutcome(error="line 1: no such column")))
    answer = answer_of_a_query()
    assert (answer["Status"]["State"], answer["Status"]["StateChangeReason"]) == ("FAILED", "line 1: no such column")
    with pytest.raises(ClientError, match="Current state: FAILED"):
        answer["results"]()


# -- Step Functions


def test_moto_alone_has_no_athena_sync_and_breaks_on_glue_sync() -> None:
    athena = original(factory, "state_task_service_for")("athena")
    assert ResourceCondition.Sync not in athena._supported_integration_patterns
    source = inspect.getsource(original(sfn_glue.StateTaskServiceGlue, "_sync_to_start_job_run"))
    assert "json" not in source.replace("to_json_str", "")  # it still hands dates on as they are


def test_with_the_seam_athena_sync_is_there_and_waiting_is_short() -> None:
    stepfunctions.install(lambda _role, _service: None, Pace(scale=0.0, longest=0.0), lambda _execution: None)
    athena = factory.state_task_service_for("athena")
    assert ResourceCondition.Sync in athena._supported_integration_patterns
    assert ResourceCondition.WaitForTaskToken in sfn_glue._SUPPORTED_INTEGRATION_PATTERNS
    retrier_decl.time.sleep(60)  # would hang


def test_moto_still_waits_where_we_shorten_it() -> None:
    assert "time.sleep(interval_seconds)" in inspect.getsource(retrier_decl)
    assert "program_state_event.wait(wait_seconds)" in inspect.getsource(original(WaitFunction, "_wait_interval"))
    assert "execution_arn.format(" in inspect.getsource(original(StepFunctionsParserBackend, "start_execution"))
