"""The definitions as graphs: every state can be reached and left, and whatever fails, a run is settled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from sluice import errors
from sluice.stages.judge import MOST_GROUPS, pack
from sluice.stages.manifest import ClaimedLoad
from stacks.machines.task import FINAL_ERRORS, FULL_ERRORS

if TYPE_CHECKING:
    from conftest import Templates

MACHINES = ("Pipeline/Run/Machine", "Warehouse/Marts/Machine", "Maintenance/Tables/Machine")
ENDS = {"Succeed", "Fail"}


def definition(templates: Templates, path: str) -> dict[str, Any]:
    return dict(json.loads(templates.at(path).properties["DefinitionString"]))


def machines(top: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A definition and the ones nested in its maps and parallel states."""
    yield top
    for state in top["States"].values():
        for nested in (
            *state.get("Branches", []),
            *(state[name] for name in ("ItemProcessor", "Iterator") if name in state),
        ):
            yield from machines(nested)


def successors(state: Mapping[str, Any]) -> set[str]:
    branches = [*state.get("Choices", []), *state.get("Catch", [])]
    return {name for name in (state.get("Next"), state.get("Default"), *(b["Next"] for b in branches)) if name}


def tasks(top: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {
        name: state for machine in machines(top) for name, state in machine["States"].items() if state["Type"] == "Task"
    }


def reachable(machine: Mapping[str, Any], *, stop: frozenset[str] = frozenset()) -> set[str]:
    seen: set[str] = set()
    ahead = {machine["StartAt"]}
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead |= set() if name in stop else successors(machine["States"][name])
    return seen


def test_no_machine_escapes_these_tests(templates: Templates) -> None:
    assert sorted(machine.path for machine in templates.of("AWS::StepFunctions::StateMachine")) == sorted(MACHINES)


@pytest.mark.parametrize("path", MACHINES)
def test_every_state_is_reached_and_every_next_exists(templates: Templates, path: str) -> None:
    for machine in machines(definition(templates, path)):
        named = {machine["StartAt"]}.union(*map(successors, machine["States"].values()))
        assert named <= set(machine["States"]), "a Next that leads nowhere"
        assert reachable(machine) == set(machine["States"])


@pytest.mark.parametrize("path", MACHINES)
def test_every_state_goes_on_or_ends(templates: Templates, path: str) -> None:
    for machine in machines(definition(templates, path)):
        for name, state in machine["States"].items():
            if state["Type"] == "Choice":
                assert "Default" in state, name
            elif state["Type"] not in ENDS:
                assert ("Next" in state) != (state.get("End") is True), name


@pytest.mark.parametrize("path", MACHINES)
def test_every_task_has_a_time_limit_retries_and_a_catch(templates: Templates, path: str) -> None:
    found = tasks(definition(templates, path))
    assert len(found) >= 2
    for name, task in found.items():
        assert task["TimeoutSeconds"] > 0, name
        assert [retry for retry in task["Retry"] if retry["MaxAttempts"] > 0], name
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name
        assert task["Catch"][-1]["ResultPath"] == "$.error", "the run's identity must survive the error"


@pytest.mark.parametrize("path", MACHINES)
def test_waits_between_retries_grow_and_spread(templates: Templates, path: str) -> None:
    for name, task in tasks(definition(templates, path)).items():
        for retry in task["Retry"]:
            if retry["MaxAttempts"] > 1:
                assert retry["BackoffRate"] > 1, name
                assert retry["JitterStrategy"] == "FULL", name


@pytest.mark.parametrize("path", MACHINES)
def test_maps_catch_what_breaks_them(templates: Templates, path: str) -> None:
    found = [s for m in machines(definition(templates, path)) for s in m["States"].values() if s["Type"] == "Map"]
    assert len(found) == 1
    assert found[0]["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    assert found[0]["MaxConcurrency"] > 0


@pytest.mark.parametrize("path", MACHINES)
def test_a_function_ends_by_itself_before_its_task_gives_up(templates: Templates, path: str) -> None:
    substitutions = templates.at(path).properties["DefinitionSubstitutions"]
    functions = {f.logical_id: f.properties["Timeout"] for f in templates.of("AWS::Lambda::Function")}
    for name, task in tasks(definition(templates, path)).items():
        if task["Resource"] == "arn:aws:states:::lambda:invoke":
            arn = substitutions[task["Parameters"]["FunctionName"].strip("${}")]
            assert task["TimeoutSeconds"] > functions[arn["Fn::GetAtt"][0]], name


@pytest.mark.parametrize("path", MACHINES)
def test_every_substitution_is_given_and_used(templates: Templates, path: str) -> None:
    properties = templates.at(path).properties
    used = set(re.findall(r"\$\{(\w+)\}", properties["DefinitionString"]))
    assert used == set(properties["DefinitionSubstitutions"])


@pytest.mark.parametrize("path", MACHINES)
def test_machines_have_an_end_a_log_without_data_and_a_trace(templates: Templates, path: str) -> None:
    properties = templates.at(path).properties
    assert properties["StateMachineType"] == "STANDARD"
    assert properties["TracingConfiguration"] == {"Enabled": True}
    assert properties["LoggingConfiguration"]["Level"] == "ERROR"
    assert properties["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert definition(templates, path)["TimeoutSeconds"] > 0


def test_no_run_ends_without_having_tried_to_settle(templates: Templates) -> None:
    run = definition(templates, "Pipeline/Run/Machine")
    settling = frozenset(n for n, s in tasks(run).items() if s["Parameters"].get("FunctionName") == "${Settle}")
    assert settling == {"Settle", "SettleFailed"}
    before = reachable(run, stop=settling)
    assert not [name for name in before if run["States"][name]["Type"] in ENDS]


def test_failing_group_does_not_hold_the_others_back(templates: Templates) -> None:
    groups = definition(templates, "Pipeline/Run/Machine")["States"]["Groups"]
    inner = groups["ItemProcessor"]["States"]
    for name in ("TransformLambda", "TransformGlue"):
        assert [catch["Next"] for catch in inner[name]["Catch"]] == ["GroupFailed"]
    assert inner["GroupFailed"]["End"] is True
    assert "ToleratedFailurePercentage" not in groups


def test_failed_group_or_mart_still_fails_its_execution_so_that_an_alarm_sees_it(templates: Templates) -> None:
    run = definition(templates, "Pipeline/Run/Machine")["States"]
    assert run[run["AllGroups"]["Choices"][0]["Next"]]["Type"] == "Fail"
    marts = definition(templates, "Warehouse/Marts/Machine")["States"]
    assert marts[marts["AllMarts"]["Choices"][0]["Next"]]["Type"] == "Fail"
    alarmed = {
        (alarm.properties["Dimensions"][0]["Value"]["Ref"], alarm.properties["MetricName"])
        for alarm in templates.of("AWS::CloudWatch::Alarm")
        if alarm.properties["Namespace"] == "AWS/States"
    }
    ids = [templates.at(path).logical_id for path in MACHINES]
    assert alarmed == {
        (name, metric) for name in ids for metric in ("ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted")
    }


def test_errors_that_retries_cannot_repair_are_named_as_the_code_names_them(templates: Templates) -> None:
    for name in FINAL_ERRORS:
        assert issubclass(getattr(errors, name), errors.SluiceError)
        assert not issubclass(getattr(errors, name), errors.TransientError)
    for path in MACHINES:
        for task in tasks(definition(templates, path)).values():
            if task["Resource"] == "arn:aws:states:::lambda:invoke":
                assert task["Retry"][0] == {"ErrorEquals": [*FINAL_ERRORS], "MaxAttempts": 0}


@pytest.mark.parametrize("path", MACHINES)
def test_full_account_is_waited_for_longer_than_its_longest_function_takes(templates: Templates, path: str) -> None:
    longest = max(function.properties["Timeout"] for function in templates.of("AWS::Lambda::Function"))
    for name, task in tasks(definition(templates, path)).items():
        if task["Resource"] != "arn:aws:states:::lambda:invoke":
            continue
        for error in FULL_ERRORS:
            retry = next(retry for retry in task["Retry"] if {error, "States.ALL"} & set(retry["ErrorEquals"]))
            waits = [
                min(retry["IntervalSeconds"] * 2**at, retry["MaxDelaySeconds"]) for at in range(retry["MaxAttempts"])
            ]
            assert sum(waits) / 2 > longest, (name, error)  # jitter halves it, on average


def test_one_more_job_than_may_run_at_once_waits_instead_of_failing(templates: Templates) -> None:
    (job,) = templates.of("AWS::Glue::Job")
    assert job.properties["JobRunQueuingEnabled"] is True


def test_marts_are_built_one_after_the_other(templates: Templates) -> None:
    assert definition(templates, "Warehouse/Marts/Machine")["States"]["Marts"]["MaxConcurrency"] == 1


def test_begun_query_is_never_repeated_in_its_place(templates: Templates) -> None:
    build = tasks(definition(templates, "Warehouse/Marts/Machine"))["Build"]
    retried = {error for retry in build["Retry"] if retry["MaxAttempts"] for error in retry["ErrorEquals"]}
    assert retried.isdisjoint({"States.ALL", "States.TaskFailed", "States.Timeout"})


def test_states_carry_pointers_not_results(templates: Templates) -> None:
    run = definition(templates, "Pipeline/Run/Machine")
    assert run["States"]["Groups"]["ResultPath"] is None
    for name in ("TransformLambda", "TransformGlue", "Publish"):
        assert tasks(run)[name]["ResultPath"] is None


PAYLOAD_BYTES, HISTORY_EVENTS = 256 << 10, 25_000  # quotas of Step Functions
LONGEST_DATASET = "d" * 200  # an execution's name holds the dataset and has 80 characters, so this is generous


def waiting(number: int) -> list[ClaimedLoad]:
    """Objects of which each fills a group: the worst case for what a claim answers."""
    return [
        ClaimedLoad(
            load_id=f"{at:032x}",
            key="k" * 1024,
            version_id="v",
            kind="put",
            generation=0,
            size=1 << 28,
            registered="",
            attempts=0,
            action="put",
            order=f"{at:05d}",
        )
        for at in range(number)
    ]


def test_payloads_stay_below_their_limit_with_10_000_files(templates: Templates) -> None:
    sizes = {"lambda_max_bytes": 1 << 29, "group_max_bytes": 1 << 28, "group_max_objects": 1000}
    groups = pack(waiting(10_000), **sizes)
    assert len(groups) == MOST_GROUPS
    run = {"dataset": LONGEST_DATASET, "fence": 10**9, "run_id": LONGEST_DATASET}
    items = [{"group": group.index, "engine": group.engine} for group in groups]
    answer = json.dumps({**run, "groups": items, "empty": False})
    assert len(answer) < PAYLOAD_BYTES / 10
    # A map gathers what its iterations end with, here their own input, before ResultPath drops it. An error has up to
    # 32 KiB: what a failed group ends with must not hold it, or 150 failures end the execution without settling.
    assert len(json.dumps([{**run, **item} for item in items])) < PAYLOAD_BYTES
    inner = definition(templates, "Pipeline/Run/Machine")["States"]["Groups"]["ItemProcessor"]["States"]
    ends = [state for state in inner.values() if state.get("End")]
    assert all(state.get("ResultPath", "") is None or state.get("Result") == {} for state in ends)
    selector = definition(templates, "Pipeline/Run/Machine")["States"]["Groups"]["ItemSelector"]
    assert {name.removesuffix(".$") for name in selector} == {*run, "group", "engine"}


def test_history_stays_below_its_limit_with_the_most_groups_and_every_retry(templates: Templates) -> None:
    run = definition(templates, "Pipeline/Run/Machine")
    inner = run["States"]["Groups"]["ItemProcessor"]["States"]
    retries = max(sum(retry["MaxAttempts"] for retry in state.get("Retry", [])) for state in inner.values())
    # Started, scheduled and failed for each try; entering and leaving each state; the iteration itself.
    events = 3 * (retries + 1) + 2 * len(inner) + 2
    assert MOST_GROUPS * events < HISTORY_EVENTS


@pytest.mark.parametrize("path", MACHINES)
def test_only_named_and_bounded_fields_enter_a_states_data(templates: Templates, path: str) -> None:
    """A task's answer is dropped, picked from, or is the small answer of the function that is asked for a list."""
    whole = {name for name, task in tasks(definition(templates, path)).items() if task.get("OutputPath") == "$.Payload"}
    assert whole <= {"Claim", "Order", "Tables"}
    for name, task in tasks(definition(templates, path)).items():
        if name not in whole:
            assert task["ResultPath"] is None or "ResultSelector" in task, name
