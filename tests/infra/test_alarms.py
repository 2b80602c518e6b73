"""Alarms, their pages and the metrics that they look at: one to one, and each metric is one that the code emits."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import ENVIRONMENTS
from sluice import prices
from sluice.metrics import METRICS, namespace
from sluice.project import load_project

if TYPE_CHECKING:
    from conftest import Resource, Templates

SLUICE = namespace("dev")
AWS_DIMENSIONS = {
    "AWS/SQS": ("QueueName", "AWS::SQS::Queue"),
    "AWS/Lambda": ("FunctionName", "AWS::Lambda::Function"),
    "AWS/States": ("StateMachineArn", "AWS::StepFunctions::StateMachine"),
    "AWS/Events": ("RuleName", "AWS::Events::Rule"),
}
AWS_METRICS = {
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
    "AWS/Lambda": {"Errors", "Throttles", "Duration", "Invocations"},
    "AWS/States": {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"},
    "AWS/Events": {"Invocations"},
}


def name_of(alarm: Resource) -> str:
    return alarm.path.rpartition("/")[2]


def dimensions(alarm: Resource) -> dict[str, Any]:
    return {item["Name"]: item["Value"] for item in alarm.properties["Dimensions"]}


def pages_of(templates: Templates) -> dict[str, set[str]]:
    """Alarms by the page that their description names."""
    pages: dict[str, set[str]] = {}
    for alarm in templates.of("AWS::CloudWatch::Alarm"):
        found = re.search(r"What to do: docs/runbooks/([a-z-]+)\.md$", alarm.properties["AlarmDescription"])
        assert found, alarm.path
        pages.setdefault(found[1], set()).add(name_of(alarm))
    return pages


def test_every_alarm_has_a_page_that_names_it_and_every_page_an_alarm(templates: Templates, root: Path) -> None:
    pages = pages_of(templates)
    assert {path.stem for path in (root / "docs" / "runbooks").glob("*.md")} == set(pages)
    for page, alarms in pages.items():
        text = (root / "docs" / "runbooks" / f"{page}.md").read_text()
        named = set(re.findall(r"`(<?[A-Za-z>]+)`", text.split("## ")[0]))
        kinds = {re.sub(r"^Flights(Late|Stale)$", r"<Dataset>\1", alarm) for alarm in alarms}
        assert named == kinds, page
        for part in ("## What it means", "## How to look", "```console", "## What to do"):
            assert part in text, (page, part)


def test_links_between_pages_lead_somewhere(root: Path) -> None:
    for path in (root / "docs" / "runbooks").glob("*.md"):
        for target in re.findall(r"\]\(([a-z-]+\.md)\)", path.read_text()):
            assert (path.parent / target).is_file(), (path.name, target)


def test_alarms_of_our_own_metrics_have_the_names_and_dimensions_that_are_emitted(templates: Templates) -> None:
    emitted = {(metric.stage, metric.name): metric for metric in METRICS}
    ours = [alarm for alarm in templates.of("AWS::CloudWatch::Alarm") if alarm.properties["Namespace"] == SLUICE]
    assert len(ours) >= 15
    for alarm in ours:
        said = dimensions(alarm)
        metric = emitted[said.pop("stage"), alarm.properties["MetricName"]]
        assert set(said) == ({"dataset"} if said else set())
        assert metric.per_dataset or not said
        # What is rare is silent when all is well: missing data must not look like trouble.
        assert alarm.properties["TreatMissingData"] == "notBreaching"


def test_alarms_of_aws_metrics_look_at_resources_of_these_stacks(templates: Templates) -> None:
    resources = {resource.logical_id: resource.kind for resource in templates.resources}
    for alarm in templates.of("AWS::CloudWatch::Alarm"):
        space = alarm.properties["Namespace"]
        if space == SLUICE:
            continue
        dimension, kind = AWS_DIMENSIONS[space]
        (value,) = [dimensions(alarm)[dimension]]
        target = value.get("Ref") or value["Fn::GetAtt"][0]
        assert resources[target] == kind, alarm.path
        assert alarm.properties["MetricName"] in AWS_METRICS[space]


def test_every_promise_of_a_contract_has_its_alarm_and_no_other_dataset_has_one(
    templates: Templates, root: Path
) -> None:
    promised = {
        (plan.dataset, metric): seconds
        for plan in load_project(root).plans.values()
        for metric, seconds in (("LagSeconds", plan.latency_seconds), ("AgeSeconds", plan.frequency_seconds))
        if seconds is not None
    }
    watched = {
        (dimensions(alarm)["dataset"], alarm.properties["MetricName"]): alarm.properties["Threshold"]
        for alarm in templates.of("AWS::CloudWatch::Alarm")
        if "dataset" in dimensions(alarm)
    }
    assert watched == promised != {}


def test_silence_of_the_reconciler_is_told_of_but_not_from_birth(templates: Templates) -> None:
    silent = templates.at("Operations/ReconcilerSilent").properties
    assert (silent["ComparisonOperator"], silent["Threshold"]) == ("LessThanThreshold", 1)
    # A new alarm has no data: it begins in INSUFFICIENT_DATA, and only the way back there after OK does something.
    assert silent["TreatMissingData"] == "missing"
    assert silent["InsufficientDataActions"] == silent["AlarmActions"]
    born_red = [
        a.path for a in templates.of("AWS::CloudWatch::Alarm") if a.properties["TreatMissingData"] == "breaching"
    ]
    assert born_red == []
    assert silent["Period"] == 4 * 60 * ENVIRONMENTS[0].reconcile_minutes


def test_functions_are_slow_before_they_are_killed(templates: Templates) -> None:
    functions = {resource.logical_id: resource for resource in templates.of("AWS::Lambda::Function")}
    slow = [a for a in templates.of("AWS::CloudWatch::Alarm") if a.properties["MetricName"] == "Duration"]
    assert len(slow) == len(functions)
    for alarm in slow:
        limit = functions[dimensions(alarm)["FunctionName"]["Ref"]].properties["Timeout"]
        assert alarm.properties["Threshold"] == 0.8 * 1000 * limit


def test_dashboard_asks_the_three_questions_and_shows_every_alarm(templates: Templates) -> None:
    (page,) = templates.of("AWS::CloudWatch::Dashboard")
    body = json.dumps(page.properties["DashboardBody"])
    for question in ("Is it fresh?", "Is it complete?", "Is it cheap?"):
        assert question in body
    for metric in ("LagSeconds", "AgeSeconds", "WaitSeconds", "RowsAccepted", "RowsRejected", "Dollars"):
        assert f'MetricName=\\\\\\"{metric}' in body or f'"{metric}' in body, metric
    for alarm in templates.of("AWS::CloudWatch::Alarm"):
        assert alarm.logical_id in body, alarm.path


def test_the_stacks_cost_about_nothing_while_idle(templates: Templates) -> None:
    """Every type has an idle price: one that is not in the list is a KeyError here, on purpose."""
    dollars: dict[str, float] = {}
    for resource in templates.resources:
        price = prices.IDLE[resource.kind]
        if resource.kind == "AWS::CloudWatch::Alarm":
            price *= len(resource.properties.get("Metrics", ["one"]))
        dollars[resource.kind] = dollars.get(resource.kind, 0.0) + price
    watching = dollars.pop("AWS::CloudWatch::Alarm") + dollars.pop("AWS::CloudWatch::Dashboard")
    assert sum(dollars.values()) == 0
    assert watching <= 8.00  # at list price; the first ten alarms and three dashboards of an account are free


def test_what_the_schedules_start_costs_less_than_a_dollar_a_month(templates: Templates, root: Path) -> None:
    """A quiet month of the reconciler: seconds and calls as `test_alarms_offline` measures them, rounded up."""
    rule = templates.at("Ingest/ReconcileSchedule")
    minutes = int(re.fullmatch(r"rate\((\d+) minutes\)", rule.properties["ScheduleExpression"])[1])  # type: ignore[index]
    turns, datasets = 30 * 24 * 60 / minutes, len(load_project(root).plans)
    memory = templates.at("Ingest/Reconcile/Function").properties["MemorySize"] / 1024
    turn = prices.Usage(
        requests=1,
        gb_seconds=5 * memory,
        calls={"s3.ListObjectVersions": datasets, "s3.ListObjectsV2": datasets, "dynamodb.Query": 4 * datasets,
               "glue.GetTable": 2 * datasets},
    )  # fmt: skip
    assert turns * prices.total(turn) < 1


def test_every_metric_is_documented_with_its_unit_and_stage(root: Path) -> None:
    text = (root / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| `(\w+)` \| (yes)? ?\|", text, re.MULTILINE)
    assert sorted(rows) == sorted(
        (metric.name, metric.unit, metric.stage, "yes" if metric.per_dataset else "") for metric in METRICS
    )
