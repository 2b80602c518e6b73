"""A Glue job from the template, run by Spark here, and what Step Functions makes of its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sluice.local.cloud import LocalCloud
from sluice.local.glue_worker import java_home
from tests.stage.local_world import BUCKET, open_queues, resource, role, write_assembly

pytestmark = pytest.mark.skipif(java_home() is None, reason="Spark needs Java, and there is none")

JOB = """
import argparse, json, os
import boto3
parser = argparse.ArgumentParser()
parser.add_argument("--bucket")
parser.add_argument("--fail", default="")
arguments, _ = parser.parse_known_args()
if arguments.fail:
    raise SystemExit("row store is on fire")

from pyspark.sql import SparkSession
import extra

def work(numbers):
    import extra
    try:
        import sluice
        sees = sluice.__file__
    except ImportError:
        sees = "nothing of the repository"
    return [(extra.twice(number), sees) for number in numbers]

spark = SparkSession.builder.getOrCreate()
rows = spark.sparkContext.parallelize(range(4), 2).mapPartitions(work).collect()
who = boto3.client("sts").get_caller_identity()["Arn"]
body = json.dumps({"rows": rows, "who": who, "leaked": "LEAKED" in os.environ})
boto3.client("s3").put_object(Bucket=arguments.bucket, Key="out", Body=body.encode())
"""
DEFINITION = {
    "StartAt": "Job",
    "States": {
        "Job": {
            "Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "End": True,
            "Parameters": {"JobName": "${Job}", "Arguments.$": "$"}, "ResultSelector": {"state.$": "$.JobRunState"},
        }
    },
}  # fmt: skip
RESOURCES = {
    "Role": role("glue.amazonaws.com"),
    "StatesRole": role("states.amazonaws.com"),
    "Bucket": resource("AWS::S3::Bucket", {}),
    "Told": resource("AWS::SQS::Queue", {}),
    "OpenQueues": open_queues("Told"),
    "OnFailure": resource(
        "AWS::Events::Rule",
        {
            "EventPattern": {"source": ["aws.glue"], "detail": {"jobName": [{"Ref": "Job"}], "state": ["FAILED"]}},
            "Targets": [{"Id": "queue", "Arn": {"Fn::GetAtt": ["Told", "Arn"]}}],
        },
    ),
    "Job": resource(
        "AWS::Glue::Job",
        {
            "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "GlueVersion": "5.1", "WorkerType": "G.1X", "NumberOfWorkers": 2,
            "Command": {"Name": "glueetl", "ScriptLocation": {"Fn::Sub": f"s3://{BUCKET}/job.zip"}},
            "DefaultArguments": {
                "--bucket": {"Ref": "Bucket"}, "--extra-py-files": {"Fn::Sub": f"s3://{BUCKET}/extra.zip"},
            },
        },
    ),
    "Machine": resource(
        "AWS::StepFunctions::StateMachine",
        {
            "DefinitionString": json.dumps(DEFINITION), "DefinitionSubstitutions": {"Job": {"Ref": "Job"}},
            "RoleArn": {"Fn::GetAtt": ["StatesRole", "Arn"]},
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    outputs = {name: {"Value": {"Ref": name}} for name in ("Bucket", "Machine", "Job", "Told")}
    folder = write_assembly(
        tmp_path_factory.mktemp("glue") / "cdk.out",
        {"Glue": {"Resources": RESOURCES, "Outputs": outputs}},
        assets={"job": {"job.py": JOB}, "extra": {"extra.py": "def twice(number): return 2 * number"}},
    )
    manifest = json.loads((folder / "Glue.assets.json").read_text())
    manifest["files"]["job"]["source"] = {"path": "asset.job/job.py", "packaging": "file"}
    (folder / "Glue.assets.json").write_text(json.dumps(manifest))
    with LocalCloud(folder) as made:
        yield made


def execution(cloud: LocalCloud, arguments: dict[str, Any]) -> Any:
    cloud.client("stepfunctions").start_execution(stateMachineArn=cloud.outputs["Machine"], input=json.dumps(arguments))
    cloud.wait_until_quiet(120)
    return cloud.executions()[-1]


def test_job_runs_on_spark_as_its_role_with_its_own_code_only(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED", "1")
    run = execution(cloud, {"--x": "1"})
    assert (run.status, run.output) == ("SUCCEEDED", {"state": "SUCCEEDED"})
    said = json.loads(cloud.client("s3").get_object(Bucket=cloud.outputs["Bucket"], Key="out")["Body"].read())
    assert said["rows"] == [[2 * number, "nothing of the repository"] for number in range(4)]
    assert "assumed-role/Glue-Role" in said["who"]
    assert said["leaked"] is False
    assert cloud.work().dpu_seconds > 0


def test_failing_job_fails_the_state_with_what_the_script_said_last(cloud: LocalCloud) -> None:
    run = execution(cloud, {"--fail": "1"})
    assert (run.status, run.error) == ("FAILED", "States.TaskFailed")
    assert "row store is on fire" in json.loads(run.cause)["ErrorMessage"]
    assert "row store is on fire" in cloud.logs("Job")
    told = cloud.client("sqs").receive_message(QueueUrl=cloud.outputs["Told"])["Messages"]
    assert [json.loads(message["Body"])["detail"]["state"] for message in told] == ["FAILED"]
