"""What AWS refuses on the first day in a new account, or lets pass and then does not do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from app import ENVIRONMENTS
from tests.infra.conftest import Templates, as_list, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.conftest import Resource

from sluice.errors import ContractError
from stacks.settings import Settings
from stacks.settings import settings_from as settings_of


def settings_from(context: Any) -> Settings:
    return settings_of(context, ENVIRONMENTS)


MEMORY, CONCURRENCY = 3008, 10  # what AWS gives a new account: Lambda quotas page
MAIL = "alarms@example.org"


def small(**context: str) -> dict[str, str]:
    return {"account_size": "new", **context}


@pytest.fixture(scope="module")
def everything(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """One synth with what the first day may need: a new account, hardened, governed by Lake Formation."""
    folder = tmp_path_factory.mktemp("first_day")
    context = small(env="prod", hardened="true", alarm_mail=MAIL, lake_formation="true")
    environment = {**os.environ, "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context)}
    subprocess.run([sys.executable, "app.py"], cwd=root, env=environment, check=True)
    return Templates(folder)


@pytest.mark.proof
def test_new_account_takes_every_function_and_leaves_some_of_its_concurrency(everything: Templates) -> None:
    assert max(f.properties["MemorySize"] for f in everything.of("AWS::Lambda::Function")) <= MEMORY
    run = json.loads(everything.at("Pipeline/Run/Machine").properties["DefinitionString"])
    tables = json.loads(everything.at("Maintenance/Tables/Machine").properties["DefinitionString"])
    (mapping,) = everything.of("AWS::Lambda::EventSourceMapping")
    busy = (
        run["States"]["Groups"]["MaxConcurrency"]
        + tables["States"]["Each"]["MaxConcurrency"]
        + mapping.properties["ScalingConfig"]["MaximumConcurrency"]
        + 1  # the reconciler
    )
    assert busy < CONCURRENCY


def test_smaller_functions_take_smaller_objects_and_groups() -> None:
    usual, new = settings_from({}.get), settings_from(small().get)
    share = new.sizes["transform"].memory_mb / usual.sizes["transform"].memory_mb
    assert new.lambda_max_bytes == pytest.approx(usual.lambda_max_bytes * share, rel=0.01)
    assert new.group_max_bytes == pytest.approx(usual.group_max_bytes * share, rel=0.01)


@pytest.mark.proof
def test_eventbridge_may_use_the_key_of_queues_and_topic_without_saying_for_whom(everything: Templates) -> None:
    (key,) = [key for key in everything.of("AWS::KMS::Key") if "Operations" in key.path]
    (statement,) = [
        s
        for s in key.properties["KeyPolicy"]["Statement"]
        if isinstance(s["Principal"], dict) and s["Principal"].get("Service") == "events.amazonaws.com"
    ]
    assert "Condition" not in statement
    # Then it is these policies that let only rules of ours write.
    for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for policy in everything.of(kind):
            for said in policy.properties["PolicyDocument"]["Statement"]:
                if said["Principal"] == {"Service": "events.amazonaws.com"}:
                    assert "aws:SourceArn" in json.dumps(said["Condition"]), policy.path


def test_marts_machine_has_the_rights_that_aws_documents_for_athena(templates: Templates) -> None:
    granted = [(a, r) for role, a, r in templates.grants() if role == "Warehouse/Marts/Role"]
    for action in ("glue:GetDatabase", "glue:GetDatabases"):
        places = {r.rpartition(":")[2] for a, r in granted if a == action}
        assert {"catalog", "database/default", "database/sluice_dev"} <= places
    tables = {a for a, r in granted if r.endswith("table/sluice_dev/*")}
    assert {"glue:GetTables", "glue:GetTable", "glue:GetPartitions", "glue:CreateTable"} <= tables
    assert any(a == "athena:GetDataCatalog" and r.endswith("datacatalog/AwsDataCatalog") for a, r in granted)


def test_workgroup_with_a_history_can_be_deleted(templates: Templates) -> None:
    assert templates.at("Warehouse/WorkGroup").properties["RecursiveDeleteOption"] is True


def test_job_may_list_the_bucket_that_its_script_comes_from(templates: Templates) -> None:
    listed = [r for role, a, r in templates.grants() if (role, a) == ("Pipeline/Spark/Role", "s3:ListBucket")]
    assert any("cdk-" in resource for resource in listed)


@pytest.mark.parametrize("packaged", ["true", "false"])
def test_production_refuses_alarms_that_reach_nobody(packaged: str) -> None:
    with pytest.raises(ContractError, match="would reach nobody"):
        settings_from({"env": "prod", "packaged": packaged}.get)
    for told in ("alarm_mail", "alarm_https"):
        assert settings_from({"env": "prod", told: "https://example.org/hook"}.get)


@pytest.mark.proof
def test_alarms_of_production_have_a_subscriber(everything: Templates) -> None:
    (subscription,) = everything.of("AWS::SNS::Subscription")
    assert subscription.properties["Endpoint"] == MAIL


def test_no_flag_of_one_deployment_hardens_or_softens() -> None:
    assert not ENVIRONMENTS[0].hardened
    with pytest.raises(ContractError, match="the next one without the flag would take it back"):
        settings_from({"packaged": "true", "hardened": "true"}.get)
    assert settings_from({"hardened": "true"}.get).hardened, "a look at the templates changes nothing"


def governed(everything: Templates) -> dict[str, dict[str, set[str]]]:
    """Lake Formation's grants: role, `database` or `table`, permissions."""
    found: dict[str, dict[str, set[str]]] = {}
    for grant in everything.of("AWS::LakeFormation::PrincipalPermissions"):
        (kind,) = [name for name, value in grant.properties["Resource"].items() if value]
        role = text_of(grant.properties["Principal"]["DataLakePrincipalIdentifier"]).strip("<>").split(".")[0]
        found.setdefault(role, {})[kind.lower()] = set(grant.properties["Permissions"])
        assert grant.properties["PermissionsWithGrantOption"] == []
    return found


LAKE_FORMATION = {  # Glue's action: the permission of Lake Formation that it needs, and on what
    "glue:GetTable": ("table", "DESCRIBE"),
    "glue:UpdateTable": ("table", "ALTER"),
    "glue:DeleteTable": ("table", "DROP"),
    "glue:CreateTable": ("database", "CREATE_TABLE"),
    "glue:GetDatabase": ("database", "DESCRIBE"),
    "athena:StartQueryExecution": ("table", "SELECT"),
}


@pytest.mark.proof
def test_where_lake_formation_governs_each_role_has_what_its_policy_asks_and_no_more(everything: Templates) -> None:
    granted = governed(everything)
    asked: dict[str, dict[str, set[str]]] = {}
    for role in roles_of_the_catalog(everything):
        for policy in everything.of("AWS::IAM::Policy"):
            if {"Ref": role.logical_id} not in policy.properties["Roles"]:
                continue
            for statement in policy.properties["PolicyDocument"]["Statement"]:
                for action in as_list(statement["Action"]):
                    if action in LAKE_FORMATION:
                        kind, permission = LAKE_FORMATION[action]
                        asked.setdefault(role.logical_id, {}).setdefault(kind, set()).add(permission)
    assert granted == asked
    assert len(granted) >= 6


def roles_of_the_catalog(everything: Templates) -> list[Resource]:
    paths = {role for role, action, _ in everything.grants() if action in {"glue:GetTable", "glue:GetDatabase"}}
    return [role for role in everything.of("AWS::IAM::Role") if role.path in paths]


@pytest.mark.proof
def test_analysts_are_let_in_by_the_tag_of_the_database(everything: Templates) -> None:
    (tag,) = everything.of("AWS::LakeFormation::Tag")
    (association,) = everything.of("AWS::LakeFormation::TagAssociation")
    tags: list[dict[str, Any]] = association.properties["LFTags"]
    assert [t["TagKey"] for t in tags] == [tag.properties["TagKey"]] == ["sluice-prod"]
    assert association.properties["Resource"]["Database"]["Name"] == "sluice_prod"


def test_without_the_setting_no_template_speaks_of_lake_formation(templates: Templates) -> None:
    assert not [r for r in templates.resources if r.kind.startswith("AWS::LakeFormation")]
