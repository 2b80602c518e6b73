"""Lambda workers: what a handler sees, and what its failures look like. No moto."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.local.principals import Credentials
from sluice.local.workers import Function, LambdaWorkers

HANDLER = """
import os, sys, time
calls = 0
def handler(event, context):
    global calls
    calls += 1
    what = event.get("do")
    if what == "raise": raise ValueError("row 17 is odd")
    if what == "hang": time.sleep(30)
    if what == "exit": os._exit(3)
    if what == "set": return {1, 2}
    if what == "import":
        import sluice
        return sluice.__file__
    print("served", calls)
    return {"calls": calls, "environment": dict(os.environ), "path": sys.path,
            "left": context.get_remaining_time_in_millis(), "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb}
"""


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[LambdaWorkers]:
    made = LambdaWorkers(
        endpoint="http://127.0.0.1:1", region="eu-west-1", folder=tmp_path,
        credentials_of=lambda role: Credentials(access_key=f"key of {role}", secret_key="s", token="t"),
    )  # fmt: skip
    yield made
    made.close()


def function(tmp_path: Path, code: str = HANDLER, **changes: Any) -> Function:
    folder = tmp_path / "asset"
    folder.mkdir(exist_ok=True)
    (folder / "handler.py").write_text(code)
    given = {"timeout": 10, "environment": (("TABLE", "ledger"),), **changes}
    return Function(
        name="ingest", arn="arn:ingest", folder=folder, handler="handler.handler", role="role", memory=512, **given
    )


def call(workers: LambdaWorkers, made: Function, **event: Any) -> Any:
    return json.loads(workers.invoke(made, json.dumps(event)).payload)


def test_handler_sees_the_templates_environment_and_nothing_of_this_machine(
    workers: LambdaWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED_FROM_THE_SHELL", "1")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())  # noqa: PTH109
    seen = call(workers, function(tmp_path))
    environment = seen["environment"]
    assert environment["TABLE"] == "ledger"
    assert environment["AWS_ACCESS_KEY_ID"] == "key of role"
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "ingest"
    assert not {"LEAKED_FROM_THE_SHELL", "PYTHONPATH", "HOME", "VIRTUAL_ENV"} & set(environment)
    assert seen["path"][0] == str(tmp_path / "asset")
    assert 0 < seen["left"] <= 10_000
    assert (seen["arn"], seen["memory"]) == ("arn:ingest", "512")


def test_handler_cannot_import_what_its_asset_does_not_hold(workers: LambdaWorkers, tmp_path: Path) -> None:
    assert call(workers, function(tmp_path), do="import")["errorType"] == "ModuleNotFoundError"
    package = tmp_path / "asset" / "sluice"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert call(workers, function(tmp_path), do="import") == str(package / "__init__.py")


def test_second_invocation_is_warm_and_both_are_logged(workers: LambdaWorkers, tmp_path: Path) -> None:
    assert [call(workers, function(tmp_path))["calls"] for _ in range(2)] == [1, 2]
    assert [invocation.cold for invocation in workers.invocations] == [True, False]
    assert workers.log_file("ingest").read_text() == "served 1\nserved 2\n"


def test_exception_has_lambdas_shape(workers: LambdaWorkers, tmp_path: Path) -> None:
    answer = workers.invoke(function(tmp_path), '{"do": "raise"}')
    said = json.loads(answer.payload)
    assert answer.failed
    assert (said["errorType"], said["errorMessage"]) == ("ValueError", "row 17 is odd")
    assert said["stackTrace"]


def test_answer_that_is_not_json_is_a_marshal_error(workers: LambdaWorkers, tmp_path: Path) -> None:
    assert call(workers, function(tmp_path), do="set")["errorType"] == "Runtime.MarshalError"


def test_handler_that_does_not_load_says_so_every_time(workers: LambdaWorkers, tmp_path: Path) -> None:
    broken = function(tmp_path, "import no_such_package")
    for _ in range(2):
        said = call(workers, broken)
        assert (said["errorType"], said["errorMessage"]) == (
            "Runtime.ImportModuleError",
            "No module named 'no_such_package'",
        )


def test_function_over_its_time_is_killed_and_the_next_one_starts_cold(workers: LambdaWorkers, tmp_path: Path) -> None:
    short = function(tmp_path, timeout=1)
    said = call(workers, short, do="hang")
    assert said["errorType"] == "Sandbox.Timedout"
    assert "timed out after 1.00 seconds" in said["errorMessage"]
    assert call(workers, short)["calls"] == 1


def test_process_that_dies_is_a_function_error_and_is_replaced(workers: LambdaWorkers, tmp_path: Path) -> None:
    assert call(workers, function(tmp_path), do="exit")["errorType"] == "Runtime.ExitError"
    assert call(workers, function(tmp_path))["calls"] == 1
