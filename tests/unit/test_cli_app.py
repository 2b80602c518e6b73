"""The command as a whole: what it says without AWS, how fast it says it, and what its errors look like."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from typer import Exit as Left
from typer.testing import CliRunner

from sluice.cli.exits import CommandError, answering
from sluice.cli.main import app
from sluice.errors import ContractError, DataError, TransientError

COMMANDS = ("demo", "up", "put", "runs", "rejects", "query", "check", "replay", "redrive", "doctor", "backfill")
HEAVY = (
    "boto3",
    "botocore",
    "duckdb",
    "pandas",
    "pyarrow",
    "pyiceberg",
    "awswrangler",
    "sqlglot",
    "moto",
    "yaml",
    "rich",
)


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert [name for name in COMMANDS if name not in shown] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_answers_machines(command: str) -> None:
    assert "--json" in CliRunner(env={"COLUMNS": "200"}).invoke(app, [command, "--help"]).stdout


def test_starting_the_command_imports_nothing_heavy() -> None:
    code = f"import sys, sluice.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs",),
        ("put", "flights", __file__),
        ("rejects", "flights"),
        ("query", "x"),
        ("replay", "flights", "--all"),
        ("redrive",),
    ],
)
def test_without_an_aws_to_talk_to_the_command_says_how_to_get_one(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("SLUICE_")]:
        monkeypatch.delenv(name)
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 2
    assert "sluice up" in json.loads(result.stdout)["error"]["how"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ContractError("no key", file="a.odcs.yaml", place="schema[0]", remedy="name one"), 2),
        (DataError("not UTF-8", dataset="a", rule="file.encoding"), 1),
        (TransientError("busy"), 3),
        (CommandError("It is so.", how="Do that."), 2),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), 3),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject"), 3),
        (FileNotFoundError(2, "No such file", "gone.csv"), 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_expected_error_has_its_exit_code_and_says_how_to_repair_it(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Left) as left, answering(as_json=True):
        raise error
    said = json.loads(capsys.readouterr().out)["error"]
    assert left.value.exit_code == code == said["code"]
    assert said["what"]
    assert said["how"]


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), answering(as_json=True):
        raise ZeroDivisionError
