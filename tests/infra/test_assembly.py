"""The assembly as a whole: what it may hold, what it puts out, and what cfn-lint says of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.project import load_project
from stacks.assets import assemble

if TYPE_CHECKING:
    from conftest import Templates

# Every type that the stacks may use. Free while nothing happens, or nearly so: alarms cost 10 cents a month each.
ALLOWED = {
    "AWS::Athena::WorkGroup", "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::DynamoDB::Table",
    "AWS::Events::Rule", "AWS::Glue::Database", "AWS::Glue::Job", "AWS::IAM::Policy", "AWS::IAM::Role",
    "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function", "AWS::Lambda::Permission", "AWS::Logs::LogGroup",
    "AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy", "AWS::StepFunctions::StateMachine",
}  # fmt: skip
OUTPUTS = {
    "RawBucket", "LakeBucket", "ResultsBucket", "LedgerTable", "Database", "WorkGroup", "StateMachine",
    "MartsStateMachine", "MaintenanceStateMachine", "IngestQueue", "IngestDeadLetters", "GlueJob",
}  # fmt: skip
# Names that people type, or that CloudFormation cannot make up.
NAMED = {"AWS::Athena::WorkGroup": "Name"}
NAMES = ("BucketName", "TableName", "FunctionName", "QueueName", "RoleName", "TopicName", "StateMachineName", "Name")
# The CDK lets a resource depend on a role that it also refers to.
KNOWN_WARNINGS = "W3005"


def test_no_custom_resource_and_nothing_that_costs_while_idle(templates: Templates) -> None:
    assert {resource.kind for resource in templates.resources} == ALLOWED


def test_stacks_put_out_what_commands_and_offline_aws_read(templates: Templates) -> None:
    assert {name for name in templates.outputs if not name.startswith("ExportsOutput")} == OUTPUTS


def test_resources_have_no_names_of_their_own(templates: Templates) -> None:
    named = {(r.kind, name) for r in templates.resources for name in NAMES if isinstance(r.properties.get(name), str)}
    assert named == set(NAMED.items())


def test_templates_need_no_account_and_no_lookup(templates: Templates, assembly: Path) -> None:
    assert "123456789012" not in "".join(path.read_text(encoding="utf-8") for path in templates.files)
    assert '"missing"' not in (assembly / "manifest.json").read_text(encoding="utf-8")


def test_everything_that_can_be_tagged_says_what_it_belongs_to(templates: Templates) -> None:
    for resource in templates.resources:
        tags = resource.properties.get("Tags")
        if tags is None:
            continue
        found = tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
        assert {"application": "sluice", "environment": "dev"}.items() <= found.items(), resource.path
    assert "Tags" in templates.at("Raw").properties


def test_workgroup_cannot_be_talked_out_of_its_limits(templates: Templates) -> None:
    settings = templates.at("Warehouse/WorkGroup").properties["WorkGroupConfiguration"]
    assert settings["EnforceWorkGroupConfiguration"] is True
    assert 0 < settings["BytesScannedCutoffPerQuery"] <= 100 << 30
    assert settings["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}
    assert settings["PublishCloudWatchMetricsEnabled"] is True
    result = settings["ResultConfiguration"]
    assert result["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}
    assert templates.at("Results").logical_id in str(result["OutputLocation"])


def test_cfn_lint_finds_nothing(templates: Templates) -> None:
    command = [
        Path(sys.executable).with_name("cfn-lint"),
        "--ignore-checks",
        KNOWN_WARNINGS,
        "--",
        *map(str, templates.files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_same_sources_make_the_same_assets(root: Path, tmp_path: Path) -> None:
    def contents(name: str) -> dict[str, bytes]:
        folder = tmp_path / name
        assemble(load_project(root), target=folder, packaged=False)
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = contents("first")
    assert "sluice.zip" in first
    assert first == contents("second")
