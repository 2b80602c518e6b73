"""`--env` finds the parts of a deployment by the outputs of its stacks, as CloudFormation tells them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import boto3
import pytest
from typer.testing import CliRunner

from sluice.cli.exits import CommandError
from sluice.cli.main import app
from sluice.cli.target import Target
from sluice.cli.where import in_front
from tests.stage.moto_server import moto_server

LAKE = {"RawBucket": "raw-1", "LakeBucket": "lake-1", "ResultsBucket": "results-1", "LedgerTable": "ledger-1"}
FLOW = {"Database": "sluice_dev", "WorkGroup": "sluice-dev"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        stack("sluice-dev-lake", LAKE)
        stack("sluice-dev-flow", FLOW)
        stack("sluice-staging-lake", {"RawBucket": "raw-2"})
        stack("sluice-staging-flow", FLOW)
        key = {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}
        boto3.client("dynamodb").create_table(
            TableName="ledger-1",
            KeySchema=[*key],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield address


def stack(name: str, outputs: dict[str, str]) -> None:
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {key: {"Value": value} for key, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


def test_names_are_the_outputs_of_the_environments_stacks(endpoint: str) -> None:
    target = Target.from_environment({"SLUICE_ENV": "dev", "AWS_ENDPOINT_URL": endpoint})
    assert target == Target(
        raw_bucket="raw-1",
        lake_bucket="lake-1",
        ledger_table="ledger-1",
        database="sluice_dev",
        workgroup="sluice-dev",
        endpoint=endpoint,
    )


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("environment", "said"),
    [("prod", "There is no stack sluice-prod-lake"), ("staging", "do not put out LakeBucket, LedgerTable")],
)
def test_deployment_that_is_not_there_or_not_ours_is_told_with_the_remedy(environment: str, said: str) -> None:
    with pytest.raises(CommandError, match=said) as told:
        Target.from_environment({"SLUICE_ENV": environment})
    assert f"make deploy ENV={environment}" in told.value.how


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    "line",
    [["--env", "dev", "runs", "airlines"], ["runs", "airlines", "--env=dev"], ["runs", "--env", "dev", "airlines"]],
)
def test_a_command_takes_it_anywhere_on_the_line(line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_ENV", "")  # set back afterwards
    result = CliRunner().invoke(app, [*line, "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"ok": True, "runs": [], "marts": []})
    assert os.environ["SLUICE_ENV"] == "dev"


@pytest.mark.usefixtures("endpoint")
def test_unknown_profile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_ENV", "")
    monkeypatch.setenv("AWS_PROFILE", "")
    result = CliRunner().invoke(app, ["runs", "--env", "dev", "--profile", "nobody", "--json"])
    assert result.exit_code == 2
    assert "nobody" in json.loads(result.stdout)["error"]["what"]


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (["runs", "--env", "dev"], ["--env", "dev", "runs"]),
        (["put", "x", "--", "--env"], ["put", "x", "--", "--env"]),
        (["runs", "--profile=me", "--json"], ["--profile=me", "runs", "--json"]),
        (["runs", "--env"], ["--env", "runs"]),
    ],
)
def test_options_move_and_nothing_else_does(line: list[str], read: list[str]) -> None:
    assert in_front(line) == read
