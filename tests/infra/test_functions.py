"""Each stage is a function of its own: runtime, role, log and code as the settings say."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING

from app import ENVIRONMENTS
from sluice.contract.plan import Plan
from sluice.project import load_project
from sluice.settings import as_texts, variable
from sluice.stages.environment import StageSettings
from stacks.settings import SIZES

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Resource, Templates

DEV = ENVIRONMENTS[0]
OF_POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "LOG_LEVEL"}
KNOWS_THE_MACHINE = {"ingest", "reconcile"}


def stage_of(function: Resource) -> str:
    return str(function.properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"])


def code_of(assembly: Path, function: Resource) -> Path:
    digest = function.properties["Code"]["S3Key"].removesuffix(".zip")
    return assembly / f"asset.{digest}"


def test_every_stage_is_one_function(templates: Templates) -> None:
    assert sorted(map(stage_of, templates.of("AWS::Lambda::Function"))) == sorted(SIZES)


def test_functions_run_as_the_settings_say(templates: Templates) -> None:
    for function in templates.of("AWS::Lambda::Function"):
        size = DEV.sizes[stage_of(function)]  # type: ignore[index]
        properties = function.properties
        assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])
        assert (properties["MemorySize"], properties["Timeout"]) == (size.memory_mb, size.timeout_seconds)
        assert properties["EphemeralStorage"] == {"Size": size.disk_mb}
        assert properties["Handler"] == "handler.handler"


def test_no_two_functions_share_a_role_or_a_log(templates: Templates) -> None:
    functions = templates.of("AWS::Lambda::Function")
    for what in ("Role", "LoggingConfig"):
        assert len({json.dumps(function.properties[what]) for function in functions}) == len(functions)


def test_every_log_ends(templates: Templates) -> None:
    for group in templates.of("AWS::Logs::LogGroup"):
        assert group.properties["RetentionInDays"] == DEV.log_days


def test_functions_and_job_are_told_every_setting_and_no_name_that_nobody_reads(templates: Templates) -> None:
    told = as_texts(DEV)
    resources = {"raw_bucket", "lake_bucket", "ledger_table", "database", "workgroup"}
    (job,) = templates.of("AWS::Glue::Job")
    assert (
        told.items() <= {name.removeprefix("--"): v for name, v in job.properties["DefaultArguments"].items()}.items()
    )
    for function in templates.of("AWS::Lambda::Function"):
        variables = function.properties["Environment"]["Variables"]
        machine = {"state_machine"} if stage_of(function) in KNOWS_THE_MACHINE else set()
        assert {variable(name): text for name, text in told.items()}.items() <= variables.items()
        assert set(variables) == OF_POWERTOOLS | {variable(name) for name in {*told, *resources, *machine}}


def test_lease_outlives_the_longest_run(templates: Templates) -> None:
    variables = templates.at("Pipeline/Claim/Function").properties["Environment"]["Variables"]
    definition = json.loads(templates.at("Pipeline/Run/Machine").properties["DefinitionString"])
    texts = {name: value for name, value in variables.items() if isinstance(value, str)}  # others are references
    told = StageSettings.from_environment(texts)
    assert told.lease_seconds > definition["TimeoutSeconds"] == told.run_timeout


def test_code_holds_handler_core_plans_and_marts_and_nothing_of_peoples_machines(
    templates: Templates, assembly: Path, root: Path
) -> None:
    for function in templates.of("AWS::Lambda::Function"):
        code = code_of(assembly, function)
        handler = root / "lambdas" / stage_of(function) / "handler.py"
        assert (code / "handler.py").read_bytes() == handler.read_bytes()
        assert (code / "sluice" / "errors.py").is_file()
        assert not (code / "sluice" / "local").exists()
        assert not (code / "sluice" / "cli").exists()
        assert not list(code.rglob("__pycache__"))


def test_plans_and_marts_travel_compiled(templates: Templates, assembly: Path, root: Path) -> None:
    project = load_project(root)
    code = code_of(assembly, templates.at("Pipeline/Claim/Function"))
    found = {path.stem: Plan.from_json(path.read_text(encoding="utf-8")) for path in (code / "plans").iterdir()}
    assert found == project.plans
    marts = json.loads((code / "marts" / "marts.json").read_text(encoding="utf-8"))
    assert [mart["name"] for mart in marts] == [mart.name for mart in project.marts]


def test_large_objects_go_to_a_job_on_spark_3_5_with_an_end(templates: Templates, assembly: Path) -> None:
    (job,) = templates.of("AWS::Glue::Job")
    properties = job.properties
    assert properties["GlueVersion"] == "5.1"
    assert properties["Command"]["Name"] == "glueetl"
    assert (properties["WorkerType"], properties["NumberOfWorkers"]) == ("G.1X", DEV.glue_workers)
    assert properties["Timeout"] == DEV.glue_timeout_minutes
    assert properties["ExecutionProperty"] == {"MaxConcurrentRuns": DEV.glue_concurrent_runs}
    assert properties["MaxRetries"] == 0, "the state machine retries"
    modules = properties["DefaultArguments"]["--additional-python-modules"].split(",")
    assert modules == [f"{name}=={version(name)}" for name in ("duckdb", "pyarrow", "python-calamine", "zstandard")], (
        "those that the tests ran with"
    )
    assert len(list(assembly.glob("asset.*.zip"))) == 1, "the library of the job"
