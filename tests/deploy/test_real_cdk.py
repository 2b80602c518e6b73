"""The CDK's own command line deploys our templates into an engine that nobody here wrote, from nothing, and a file
that lands there becomes a table. What ministack cannot do is said where it is worked around.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.ministack import ACCOUNT, REGION, ROOT, Ministack, ministack

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]  # the first test waits for all the work

STACKS = ("sluice-dev-lake", "sluice-dev-flow")
# Types that ministack does not know, left out of the templates for this test only. There is none.
LEFT_OUT: frozenset[str] = frozenset()
ROWS = "carrier,name\nAA,American Airlines Inc.\nUA,United Air Lines Inc.\n"


@dataclass(frozen=True)
class Deployed:
    aws: Ministack
    outputs: dict[str, str]
    seconds: float

    @property
    def table(self) -> Any:
        return self.aws.client("dynamodb")

    def ledger(self) -> set[str]:
        items = self.table.scan(TableName=self.outputs["LedgerTable"])["Items"]
        return {item["sk"]["S"].partition("#")[0] for item in items}


@pytest.fixture(scope="module")
def deployed(assembly: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("ministack")
    with ministack(folder) as aws:
        begun = time.monotonic()
        fine(aws.cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}"))
        fine(deploy(aws, assembly))
        yield Deployed(aws, outputs(aws), time.monotonic() - begun)


def fine(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


def deploy(aws: Ministack, assembly: Path) -> subprocess.CompletedProcess[str]:
    return aws.cdk("deploy", "--all", "--require-approval", "never", "--app", str(assembly))


def outputs(aws: Ministack) -> dict[str, str]:
    stacks = aws.client("cloudformation")
    return {
        output["OutputKey"]: output["OutputValue"]
        for name in STACKS
        for output in stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    }


def events(aws: Ministack) -> int:
    stacks = aws.client("cloudformation")
    return sum(len(stacks.describe_stack_events(StackName=name)["StackEvents"]) for name in STACKS)


def until(true: Callable[[], bool], *, seconds: int) -> None:
    for _ in range(seconds * 2):
        if true():
            return
        time.sleep(0.5)
    raise AssertionError(f"not after {seconds} seconds")


def test_everything_is_created_from_nothing(deployed: Deployed, assembly: Path) -> None:
    wanted = {
        (logical_id, resource["Type"])
        for name in STACKS
        for logical_id, resource in json.loads((assembly / f"{name}.template.json").read_text())["Resources"].items()
    }
    assert not {kind for _, kind in wanted} & LEFT_OUT
    stacks = deployed.aws.client("cloudformation")
    created = {
        (resource["LogicalResourceId"], resource["ResourceType"])
        for name in STACKS
        for resource in stacks.describe_stack_resources(StackName=name)["StackResources"]
        if resource["ResourceStatus"] == "CREATE_COMPLETE"
    }
    assert created >= wanted
    print(f"\nbootstrap and deploy: {len(wanted)} resources in {deployed.seconds:.0f} s")


def test_second_deployment_changes_nothing(deployed: Deployed, assembly: Path) -> None:
    before = events(deployed.aws)
    said = fine(deploy(deployed.aws, assembly))
    assert len(re.findall(r"\(no changes\)", said)) == len(STACKS)
    assert events(deployed.aws) == before
    assert "Number of stacks with differences: 0" in fine(deployed.aws.cdk("diff", "--all", "--app", str(assembly)))


def test_landed_object_is_announced_to_ingest_and_becomes_a_table(deployed: Deployed) -> None:
    aws, raw = deployed.aws, deployed.outputs["RawBucket"]
    put = aws.client("s3").put_object(Bucket=raw, Key="airlines/2013.csv", Body=ROWS.encode())
    # ministack's event has no version id, which AWS sends for a versioned bucket. Ingest has it and refuses it.
    until(lambda: "not an S3 event: KeyError" in aws.said(), seconds=60)
    aws.client("sqs").send_message(
        QueueUrl=deployed.outputs["IngestQueue"], MessageBody=json.dumps(event(raw, "airlines/2013.csv", put))
    )
    until(lambda: "load" in deployed.ledger(), seconds=60)
    assert ended(deployed) == {"airlines-1": "SUCCEEDED"}
    assert rows(deployed) == [("AA", "American Airlines Inc."), ("UA", "United Air Lines Inc.")]


def test_lost_event_is_found_by_reconcile(deployed: Deployed) -> None:
    body = (ROWS + "DL,Delta Air Lines Inc.\n").encode()
    deployed.aws.client("s3").put_object(Bucket=deployed.outputs["RawBucket"], Key="airlines/2014.csv", Body=body)
    functions = deployed.aws.client("lambda")
    (name,) = (f["FunctionName"] for f in functions.list_functions()["Functions"] if "Reconcile" in f["FunctionName"])
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert ended(deployed) == {"airlines-1": "SUCCEEDED", "airlines-2": "SUCCEEDED"}
    assert [carrier for carrier, _ in rows(deployed)] == ["AA", "DL", "UA"]


def test_command_finds_the_deployment_by_its_environment(deployed: Deployed) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("sluice"), "runs", "airlines", "--env", "dev", "--json"],
        cwd=ROOT,
        env=dict(deployed.aws.environment),
        capture_output=True,
        text=True,
        check=True,
    )
    runs = json.loads(done.stdout)["runs"]
    assert [(run["run_id"], run["counts"]["rows_accepted"]) for run in runs] == [("airlines-2", 3), ("airlines-1", 2)]


def test_destroyed_stacks_leave_the_data_behind(deployed: Deployed, assembly: Path) -> None:
    fine(deployed.aws.cdk("destroy", "--all", "--force", "--app", str(assembly)))
    assert left(deployed) == {"raw", "lake", "results", "ledger", "database"}
    s3 = deployed.aws.client("s3")
    assert s3.list_objects_v2(Bucket=deployed.outputs["RawBucket"])["KeyCount"] == 2
    assert not deployed.aws.client("lambda").list_functions()["Functions"]


def test_destroyed_stacks_take_the_data_along_if_both_keys_are_set(deployed: Deployed, tmp_path: Path) -> None:
    aws = deployed.aws
    aws.client("glue").delete_database(Name=deployed.outputs["Database"])  # kept above; its name is taken until then
    environment = {**os.environ, "CDK_OUTDIR": str(tmp_path), "CDK_CONTEXT_JSON": '{"allow_data_loss": "true"}'}
    subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, check=True, capture_output=True)
    fine(deploy(aws, tmp_path))
    second = Deployed(aws, outputs(aws), 0)
    assert left(second) == {"raw", "lake", "results", "ledger", "database"}
    fine(aws.cdk("destroy", "--all", "--force", "--app", str(tmp_path)))
    assert left(second) == set()


def event(bucket: str, key: str, put: dict[str, Any]) -> dict[str, Any]:
    """What EventBridge hands over on AWS."""
    return {
        "version": "0",
        "id": "1",
        "source": "aws.s3",
        "detail-type": "Object Created",
        "account": ACCOUNT,
        "region": REGION,
        "time": "2026-01-01T00:00:00Z",
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "bucket": {"name": bucket},
            "object": {"key": key, "size": 1, "etag": put["ETag"], "version-id": put["VersionId"], "sequencer": "01"},
            "reason": "PutObject",
        },
    }


def ended(deployed: Deployed) -> dict[str, str]:
    """Wait until no run goes on, and tell how each ended."""
    machine, states = deployed.outputs["StateMachine"], deployed.aws.client("stepfunctions")

    def runs() -> dict[str, str]:
        return {e["name"]: e["status"] for e in states.list_executions(stateMachineArn=machine)["executions"]}

    until(lambda: bool(runs()) and "RUNNING" not in runs().values() and "pending" not in deployed.ledger(), seconds=120)
    return runs()


def rows(deployed: Deployed) -> list[tuple[str, str]]:
    code = (
        "import json, os; from sluice.cli.target import Target; target = Target.from_environment(os.environ)\n"
        "table = target.catalog().load_table((target.database, 'airlines'))\n"
        "print(json.dumps(sorted([r['carrier'], r['name']] for r in table.scan().to_arrow().to_pylist())))"
    )
    environment = {**deployed.aws.environment, "SLUICE_ENV": "dev"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [(carrier, name) for carrier, name in json.loads(done.stdout)]


def left(deployed: Deployed) -> set[str]:
    """Which of what holds data is still there."""
    names = {deployed.outputs[f"{name.capitalize()}Bucket"]: name for name in ("raw", "lake", "results")}
    found = {names[b["Name"]] for b in deployed.aws.client("s3").list_buckets()["Buckets"] if b["Name"] in names}
    if deployed.outputs["LedgerTable"] in deployed.table.list_tables()["TableNames"]:
        found.add("ledger")
    databases = deployed.aws.client("glue").get_databases()["DatabaseList"]
    if deployed.outputs["Database"] in [database["Name"] for database in databases]:
        found.add("database")
    return found
