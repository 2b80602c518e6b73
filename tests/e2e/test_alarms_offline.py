"""Every alarm's condition comes true in an offline run that has the trouble, and none in a run that has none.

Thresholds of seconds and dollars are set so low, by context, that an offline run can pass them; the metrics are those
that the deployed handlers wrote into their logs, and what the offline AWS knows of queues, functions and executions.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from moto.sqs.models import sqs_backends

from sluice.cli.cost import bills
from sluice.cli.target import Target
from sluice.local.cloud import LocalCloud
from sluice.local.faults import Fault
from sluice.local.principals import ACCOUNT
from sluice.prices import Usage, total
from sluice.project import load_project

pytestmark = pytest.mark.proof

ROOT = Path(__file__).parents[2]
LOW = {
    "queue_age_alarm": 0, "stuck_alarm": 0, "slow_share": 0.00001, "volume_alarm": 1.5, "conflicts_alarm": 0,
    "daily_dollars_alarm": 1e-9, "max_attempts": 1,
}  # fmt: skip
# No limit of concurrent functions and no limit of an execution's time are there to be reached offline.
NOT_SHOWN = {"IngestThrottles", "ReconcileThrottles", "RunTimedOut", "MartsTimedOut", "MaintenanceTimedOut"}
PROMISES = "slaProperties: [{property: latency, value: 1, unit: s}, {property: frequency, value: 1, unit: s}]\nschema:"
BUDGET = "mode: append\n          budget: {monthlyUsd: 0.0001, action: stop}"
WEATHER = (
    "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour\n"
    "EWR,2013,1,1,1,39.02,26.06,59.37,270,10.35,NA,0,1012,10,2013-01-01T06:00:00Z\n"
)
AIRPORT = "faa,name,lat,lon,alt,tz,dst,tzone\n04G,Lansdowne Airport,41.13,-80.61,1044,-5,A,America/New_York\n"
Series = tuple[str, str, tuple[tuple[str, str], ...]]  # namespace, name, dimensions
Samples = Mapping[Series, list[float]]


def carriers(count: int) -> str:
    letters = "ABCDEFGHIJ"
    return "carrier,name\n" + "".join(f"{letters[at // 10]}{at % 10},Airline {at}\n" for at in range(count))


@dataclass(frozen=True)
class World:
    cloud: LocalCloud
    target: Target
    logs: Path

    def put(self, key: str, body: bytes | str) -> str:
        content = body.encode() if isinstance(body, str) else body
        put = self.cloud.client("s3").put_object(Bucket=self.target.raw_bucket, Key=key, Body=content)
        self.cloud.wait_until_quiet(120)
        return str(put["VersionId"])

    def tick(self) -> None:
        self.cloud.tick("reconcile")
        self.cloud.wait_until_quiet(120)

    def samples(self) -> Samples:
        """What CloudWatch would hold: metrics out of the logs, and AWS's own from what the offline AWS knows."""
        found: defaultdict[Series, list[float]] = defaultdict(list)
        for series, value in (*self._emitted(), *self._of_functions(), *self._of_machines(), *self._of_queues()):
            found[series].append(value)
        rule = self.cloud.find("Operations/JobFailed", "AWS::Events::Rule")
        published = [call for call in self.cloud.calls if (call.service, call.operation) == ("sns", "Publish")]
        found["AWS/Events", "Invocations", (("RuleName", rule),)] += [1.0 for call in published if call.status == 200]
        return found

    def _emitted(self) -> Iterator[tuple[Series, float]]:
        lines = (line for log in self.logs.glob("logs/*.log") for line in log.read_text(errors="replace").splitlines())
        for event in (json.loads(line) for line in lines if '"_aws"' in line):
            for directive in event["_aws"]["CloudWatchMetrics"]:
                for names, metric in itertools.product(directive["Dimensions"], directive["Metrics"]):
                    said = tuple(sorted((name, event[name]) for name in names))
                    for value in event[metric["Name"]]:
                        yield (directive["Namespace"], metric["Name"], said), value

    def _of_functions(self) -> Iterator[tuple[Series, float]]:
        for call in self.cloud.invocations:
            said = (("FunctionName", call.function),)
            yield ("AWS/Lambda", "Invocations", said), 1
            yield ("AWS/Lambda", "Duration", said), 1000 * call.seconds
            yield ("AWS/Lambda", "Errors", said), call.failed

    def _of_machines(self) -> Iterator[tuple[Series, float]]:
        ended = {"FAILED": "ExecutionsFailed", "ABORTED": "ExecutionsAborted", "TIMED_OUT": "ExecutionsTimedOut"}
        for run in self.cloud.executions():
            arn = run.arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
            if run.status in ended:
                yield ("AWS/States", ended[run.status], (("StateMachineArn", arn),)), 1

    def _of_queues(self) -> Iterator[tuple[Series, float]]:
        for queue in sqs_backends[ACCOUNT][self.cloud.region].queues.values():
            said = (("QueueName", queue.name),)
            messages = list(queue._messages)
            ages = [time.time() - float(message.sent_timestamp) / 1000 for message in messages]
            yield ("AWS/SQS", "ApproximateNumberOfMessagesVisible", said), len(messages)
            yield ("AWS/SQS", "ApproximateAgeOfOldestMessage", said), max(ages, default=0.0)

    def raised(self, thresholds: Mapping[str, float] | None = None) -> set[str]:
        """Names of the deployed alarms whose condition is true now; `thresholds` in place of their own."""
        paths = {made.created.ref: made.path.split("/")[-2] for made in self.cloud.deployment.resources
                 if made.kind == "AWS::CloudWatch::Alarm"}  # fmt: skip
        samples = self.samples()
        pages = self.cloud.client("cloudwatch").get_paginator("describe_alarms").paginate()
        alarms = {paths[alarm["AlarmName"]]: alarm for page in pages for alarm in page["MetricAlarms"]}
        assert len(alarms) == len(paths) > 30
        return {
            name for name, alarm in alarms.items()
            if breaches(alarm, samples, (thresholds or {}).get(name, alarm["Threshold"]))
        }  # fmt: skip


def breaches(alarm: Mapping[str, Any], samples: Samples, threshold: float) -> bool:
    said = tuple(sorted((item["Name"], item["Value"]) for item in alarm["Dimensions"]))
    values = samples.get((alarm["Namespace"], alarm["MetricName"], said))
    if not values:
        return bool(alarm["TreatMissingData"] == "breaching")
    value = {"Sum": sum, "Maximum": max}[alarm["Statistic"]](values)
    above = alarm["ComparisonOperator"] == "GreaterThanThreshold"
    return value > threshold if above else value < threshold


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A project with promises and budgets that are easy to break, deployed with low thresholds."""
    project, logs = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("cloud")
    for name in ("stacks", "sluice", "lambdas", "glue_jobs", "marts", "requirements.lock"):
        (project / name).symlink_to(ROOT / name)
    for name in ("app.py", "cdk.json"):
        shutil.copy(ROOT / name, project)
    shutil.copytree(ROOT / "contracts", project / "contracts", ignore=shutil.ignore_patterns("released"))
    for dataset, old, new in (
        ("airlines", "schema:", PROMISES),
        ("airports", "mode: replace", BUDGET),
        ("weather", "mode: merge", "mode: merge\n          maxRejectShare: 0.1"),
    ):
        path = project / "contracts" / f"{dataset}.odcs.yaml"
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
    environ = {**os.environ, "CDK_OUTDIR": str(project / "out"), "CDK_CONTEXT_JSON": json.dumps(LOW)}
    subprocess.run([sys.executable, "app.py"], cwd=project, env=environ, check=True)
    with LocalCloud(project / "out", data=logs) as cloud, mock.patch.dict(os.environ, cloud.environment()):
        yield World(cloud=cloud, target=Target.from_environment(os.environ), logs=logs)


def test_a_run_without_trouble_raises_nothing_at_the_thresholds_that_are_deployed(world: World, assembly: Path) -> None:
    assert world.raised({"QueueAge": 900}) == {"ReconcilerSilent"}  # nothing has run yet
    world.put("airlines/1.csv", carriers(20))
    world.tick()
    deployed = {
        body["Metadata"]["aws:cdk:path"].split("/")[-2]: body["Properties"]["Threshold"]
        for body in json.loads((assembly / "sluice-dev-flow.template.json").read_text())["Resources"].values()
        if body["Type"] == "AWS::CloudWatch::Alarm"
    }
    # Promises of a second are this module's own.
    assert world.raised({**deployed, "AirlinesLate": 3600, "AirlinesStale": 3600}) == set()


def test_what_the_ledger_recorded_is_what_the_gateway_saw_and_never_more(world: World) -> None:
    month = time.strftime("%Y-%m", time.gmtime())
    recorded = sum((bill.usage for bill in bills(world.target.ledger(), load_project(ROOT), month)), Usage())
    counted = world.cloud.work()
    assert recorded.transitions == counted.transitions
    for write in ("s3.UploadPart", "glue.UpdateTable", "glue.GetTable"):
        assert recorded.calls[write] == counted.calls[write], write
    assert 0.8 * counted.calls["s3.GetObject"] <= recorded.calls["s3.GetObject"] <= counted.calls["s3.GetObject"]
    assert total(recorded) < total(counted)


def test_every_alarm_comes_true_in_a_run_that_has_the_trouble(world: World) -> None:
    seen = _trouble_with_data(world) | _trouble_with_events(world) | _trouble_with_machines(world)
    seen |= _trouble_for_the_reconciler(world) | _trouble_with_maintenance(world)
    paths = [made.path for made in world.cloud.deployment.resources if made.kind == "AWS::CloudWatch::Alarm"]
    names = {path.split("/")[-2] for path in paths}
    # The contracts' own promises of `flights` are of an hour and a month; those of `airlines` show the same metric.
    assert names - seen - {"FlightsLate", "FlightsStale", "ReconcilerSilent"} == NOT_SHOWN  # the last one: see above
    assert not seen & NOT_SHOWN


def test_turns_of_the_reconciler_are_as_cheap_as_the_idle_cost_assumes(world: World) -> None:
    """`test_what_the_schedules_start_costs_less_than_a_dollar_a_month` counts with these bounds."""
    name = world.cloud.find("Ingest/Reconcile/Function", "AWS::Lambda::Function")
    turns = [call for call in world.cloud.invocations if call.function == name and not call.cold and not call.failed]
    assert turns
    assert min(call.seconds for call in turns) < 5


def _trouble_with_data(world: World) -> set[str]:
    for number in range(2, 7):  # a history to judge volume by
        world.put(f"airlines/{number}.csv", carriers(20))
    world.put("airlines/7.csv", carriers(60))
    world.put("weather/bad.csv", WEATHER.replace("EWR", "XXX"))
    world.put("Airlines/10.csv", carriers(20))
    world.put("planes/picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    world.put("airports/1.csv", AIRPORT)
    world.put("airports/2.csv", AIRPORT)  # its budget is spent
    world.cloud.inject(Fault(match=("glue", "UpdateTable"), kind="drop"))
    world.put("airlines/8.csv", carriers(20) + "no carrier,Nobody\n" * 3)
    return world.raised()


def _trouble_with_events(world: World) -> set[str]:
    cloud = world.cloud
    queue = cloud.outputs["IngestQueue"]
    cloud.client("sqs").send_message(QueueUrl=queue, MessageBody="{not json", DelaySeconds=1)
    time.sleep(0.1)
    seen = world.raised()  # it waits
    cloud.wait_until_quiet(60)
    machine = cloud.outputs["MartsStateMachine"].rpartition(":")[2]
    cloud.inject(Fault(match=("stepfunctions", "StartExecution"), times=50, resource=machine))
    world.put("airlines/9.csv", carriers(20))
    cloud.gateway.faults.clear()
    cloud.inject(Fault(match=("sqs", "SendMessage"), times=50, resource=queue.rpartition("/")[2]))
    world.put("airlines/lost.csv", carriers(20))
    cloud.gateway.faults.clear()
    for stage, payload in (("Ingest/Ingest", b'{"no": "records"}'), ("Ingest/Reconcile", b'{"datasets": ["none"]}')):
        name = cloud.find(f"{stage}/Function", "AWS::Lambda::Function")
        assert "FunctionError" in cloud.client("lambda").invoke(FunctionName=name, Payload=payload)
    job = {"jobName": cloud.outputs["GlueJob"], "jobRunId": "jr", "state": "FAILED", "message": ""}
    cloud.pump.emit("aws.glue", "Glue Job State Change", job, "")
    cloud.wait_until_quiet(60)
    return seen | world.raised()


def _trouble_with_machines(world: World) -> set[str]:
    cloud = world.cloud
    states = cloud.client("stepfunctions")
    cloud.inject(Fault(match=("lambda", "Invoke"), kind="timeout", hold=6, resource="Refresh"))
    states.start_execution(stateMachineArn=cloud.outputs["MartsStateMachine"], name="stopped", input='{"detail": {}}')
    _stop_next(world, "stopped")
    cloud.inject(Fault(match=("lambda", "Invoke"), times=50, resource="Refresh"))
    states.start_execution(stateMachineArn=cloud.outputs["MartsStateMachine"], input='{"detail": {}}')
    cloud.wait_until_quiet(60)
    cloud.gateway.faults.clear()
    cloud.inject(Fault(match=("s3", "PutObject"), times=200, resource="/tables/planes/"))
    good = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
    world.put("planes/good.csv", good + "N10156,2004,Fixed wing multi engine,EMBRAER,EMB-145XR,2,55,NA,Turbo-fan\n")
    cloud.gateway.faults.clear()
    cloud.client("s3").put_object(Bucket=world.target.raw_bucket, Key="weather/stopped.csv", Body=WEATHER.encode())
    _stop_next(world, "weather-")
    return world.raised()


def _stop_next(world: World, name: str) -> None:
    """Stop the next execution whose name begins so, once it is in its first state: moto cannot stop it before."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(AttributeError):  # nor describe it
            for run in world.cloud.executions():
                if run.status == "RUNNING" and run.name.startswith(name) and run.transitions:
                    world.cloud.client("stepfunctions").stop_execution(executionArn=run.arn)
                    world.cloud.wait_until_quiet(60)
                    return
        time.sleep(0.02)
    raise AssertionError(f"no execution {name} began")


def _trouble_for_the_reconciler(world: World) -> set[str]:
    cloud = world.cloud
    world.tick()  # what was lost, what died, what waits; the plane's load is given up
    seen = world.raised()
    s3, bucket = cloud.client("s3"), world.target.raw_bucket
    (published,) = s3.list_object_versions(Bucket=bucket, Prefix="airports/1.csv")["Versions"]
    s3.delete_object(Bucket=bucket, Key="airports/1.csv", VersionId=published["VersionId"])
    cloud.wait_until_quiet(60)
    world.tick()
    table = cloud.client("dynamodb")
    table.delete_item(TableName=world.target.ledger_table, Key={"pk": {"S": "dataset#airlines"}, "sk": {"S": "lease"}})
    world.tick()
    return seen | world.raised()


def _trouble_with_maintenance(world: World) -> set[str]:
    cloud, machine = world.cloud, world.cloud.outputs["MaintenanceStateMachine"]
    states = cloud.client("stepfunctions")
    cloud.inject(Fault(match=("stepfunctions", "StartExecution"), times=50, resource=machine.rpartition(":")[2]))
    cloud.tick("maintenance")
    cloud.wait_until_quiet(60)
    cloud.gateway.faults.clear()
    cloud.inject(Fault(match=("lambda", "Invoke"), kind="timeout", hold=6, resource="Maintain"))
    states.start_execution(stateMachineArn=machine, name="halted", input="{}")
    _stop_next(world, "halted")
    cloud.inject(Fault(match=("lambda", "Invoke"), times=50, resource="Maintain"))
    states.start_execution(stateMachineArn=machine, input="{}")
    cloud.wait_until_quiet(60)
    cloud.gateway.faults.clear()
    s3, bucket = cloud.client("s3"), world.target.lake_bucket
    for item in s3.list_objects_v2(Bucket=bucket, Prefix="tables/airlines/data/")["Contents"]:
        s3.delete_object(Bucket=bucket, Key=item["Key"])  # somebody tidies up
    cloud.tick("maintenance")
    cloud.wait_until_quiet(120)
    return world.raised()
