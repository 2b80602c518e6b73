"""What the README says is true: its commands exist, and its own example works as written, from contract to query."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SLUICE = str(Path(sys.executable).with_name("sluice"))
ORDERS = "order_id,placed_on,amount\n1,2024-02-28,9.90\n2,2024-02-29,12.00\n3,2024-02-29,0.50\n"


def example() -> str:
    """The contract that the README shows."""
    found = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert found, "the README shows no contract"
    return "\n".join(line[3:] for line in found.group(1).splitlines())


def commands(word: str) -> list[str]:
    """Commands in the README's console blocks that begin with `word`, without their comments."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.startswith(word)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the README's dataset, made as the README says."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("contracts", "marts", "stacks", "lambdas", "glue_jobs", "sluice"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "cdk.json", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "contracts" / "orders.odcs.yaml").write_text(example())
    (folder / "orders.csv").write_text(ORDERS)
    return folder


@pytest.fixture(scope="module")
def environment(project: Path) -> Iterator[dict[str, str]]:
    """The environment of a shell in which nothing was exported, while `sluice up` runs in another one."""
    command = [SLUICE, "up", "--json"]
    with (
        (project / "up.log").open("w") as log,
        subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=log, text=True) as up,
    ):
        try:
            assert up.stdout is not None
            said = up.stdout.readline()
            assert said, (project / "up.log").read_text()
            yield bare_environment()
        finally:
            up.send_signal(signal.SIGINT)
            code = up.wait(timeout=60)
    assert code == 0, (project / "up.log").read_text()


def bare_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "AWS_"))}


def run(command: str, *, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    words = [SLUICE if word == "sluice" else word for word in shlex.split(command)]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_the_readme_names_commands_and_make_targets_that_exist() -> None:
    shown = run("sluice --help", cwd=ROOT).stdout
    named = {command.split()[1] for command in commands("sluice")} | set(re.findall(r"`sluice (\w+)", README))
    assert named
    assert [name for name in named if f" {name} " not in shown] == []
    makefile = (ROOT / "Makefile").read_text()
    targets = {command.split()[1] for command in commands("make")} | set(re.findall(r"`make (\w+)", README))
    assert {"demo", "test"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
        assert [link for link in links if not (document.parent / link).exists()] == [], document


def test_the_example_contract_accepts_the_example_file(project: Path) -> None:
    (command,) = commands("sluice check")
    checked = run(f"{command} --json", cwd=project)
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout)["rows_accepted"] == 3


@pytest.mark.timeout(600)
def test_the_example_dataset_goes_from_file_to_query(project: Path, environment: dict[str, str]) -> None:
    (put,) = commands("sluice put orders")
    sent = run(f"{put} --json", cwd=project, env=environment)
    assert sent.returncode == 0, sent.stderr
    assert [load["state"] for load in json.loads(sent.stdout)["loads"]] == ["DONE"]

    (query,) = commands("sluice query")
    asked = run(f"{query} --json", cwd=project, env=environment)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["rows"] == [{"orders": 3}]

    (rejects,) = commands("sluice rejects")
    rejected = run(rejects, cwd=project, env=environment)
    assert (rejected.returncode, rejected.stdout.strip()) == (0, "No row of orders is rejected.")

    # No dataset of the README refers to another one: let the order numbers refer to themselves, and to nothing.
    (project / "referring" / "contracts").mkdir(parents=True)
    (project / "referring" / "contracts" / "orders.odcs.yaml").write_text(
        example().replace("primaryKey: true\n", "primaryKey: true\n        relationships: "
        "[{to: orders.order_id}, {to: nowhere.order_id}]\n", 1)
    )  # fmt: skip
    orphans = run("sluice orphans orders --project referring --json", cwd=project, env=environment)
    assert orphans.returncode == 0, orphans.stderr
    here, nowhere = json.loads(orphans.stdout)["relationships"]
    assert (here["rows"], here["orphans"], here["problem"]) == (3, 0, None)
    assert "nowhere" in nowhere["problem"]

    ran = run("sluice runs --json", cwd=project, env=environment)
    assert [(item["run_id"], item["state"]) for item in json.loads(ran.stdout)["runs"]] == [("orders-1", "PUBLISHED")]


@pytest.mark.timeout(600)
def test_the_examples_of_the_python_api_are_true(project: Path, environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "doctest", str(ROOT / "docs" / "python-api.md")],
        cwd=project, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stdout + ran.stderr


@pytest.mark.timeout(600)
def test_rejected_rows_are_told_by_exit_code_rule_and_raw_text(project: Path, environment: dict[str, str]) -> None:
    (project / "more.csv").write_text(ORDERS + "4,2024-02-30,1.00\n5,2024-03-01,-1\n")
    sent = run("sluice put orders more.csv --json", cwd=project, env=environment)
    (load,) = json.loads(sent.stdout)["loads"]
    assert (sent.returncode, load["rows_accepted"], load["rows_rejected"]) == (1, 3, 2)

    found = json.loads(run("sluice rejects orders --json", cwd=project, env=environment).stdout)
    assert {(group["column"], group["rule"], group["rows"]) for group in found["groups"]} == {
        ("placed_on", "type", 1),
        ("amount", "minimum", 1),
    }
    assert [sample["raw"] for sample in found["samples"]] == ["4,2024-02-30,1.00", "5,2024-03-01,-1"]

    # Fix and replay: repaired rows are loaded like any others, and nothing else is.
    made = json.loads(run("sluice rejects orders --repair repair --json", cwd=project, env=environment).stdout)
    (repaired,) = [project / file["file"] for file in made["files"]]
    assert repaired.read_text() == "order_id,placed_on,amount\n4,2024-02-30,1.00\n5,2024-03-01,-1\n"
    assert "minimum" in repaired.with_suffix(".why.txt").read_text()
    assert run("sluice rejects orders --repair repair --json", cwd=project, env=environment).returncode == 2
    repaired.write_text(repaired.read_text().replace("02-30", "02-29").replace("-1\n", "1\n"))
    assert run(f"sluice put orders {repaired} --json", cwd=project, env=environment).returncode == 0
    closed = json.loads(run("sluice rejects orders --json", cwd=project, env=environment).stdout)
    assert (closed["groups"], closed["samples"], closed["repaired"]) == ([], [], 2)
    asked = run("sluice query 'SELECT order_id FROM orders WHERE order_id > 3' --json", cwd=project, env=environment)
    assert sorted(row["order_id"] for row in json.loads(asked.stdout)["rows"]) == [4, 5]


@pytest.mark.timeout(600)
def test_the_running_aws_is_found_from_a_folder_below_and_only_once_per_project(
    project: Path, environment: dict[str, str]
) -> None:
    below = project / "marts"
    assert run("sluice runs orders", cwd=below, env=environment).returncode == 0

    again = run("sluice up", cwd=project, env=environment)
    pid = (project / ".sluice" / "lock").read_text()
    assert (again.returncode, f"as process {pid}" in again.stderr) == (2, True), again.stderr

    script = f'cd {shlex.quote(str(below))} && eval "$({SLUICE} env)" && cd / && {SLUICE} runs orders --json'
    exported = subprocess.run(
        ["bash", "-c", script],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["ok"]


def test_an_aws_that_has_ended_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    (tmp_path / ".sluice").mkdir()
    (tmp_path / ".sluice" / "lock").write_text("1")  # a process that runs, and holds no lock
    (tmp_path / ".sluice" / "environment.json").write_text("{}")
    asked = run("sluice runs orders", cwd=tmp_path, env=bare_environment())
    assert (asked.returncode, "Start it with `sluice up`" in asked.stderr) == (3, True), asked.stderr


@pytest.mark.timeout(600)
def test_a_statement_that_athena_refuses_exits_with_2(project: Path, environment: dict[str, str]) -> None:
    asked = run("sluice query 'SELECT nothing FROM nowhere' --json", cwd=project, env=environment)
    assert asked.returncode == 2
    assert "nowhere" in json.loads(asked.stdout)["error"]["what"]
    assert "Traceback" not in asked.stderr


@pytest.mark.timeout(600)
def test_a_removed_file_is_deleted_and_its_rows_are_accounted_for(project: Path, environment: dict[str, str]) -> None:
    unknown = run("sluice remove orders nothing.csv --json", cwd=project, env=environment)
    assert (unknown.returncode, "no object orders/nothing.csv" in unknown.stderr) == (2, True), unknown.stderr
    removed = json.loads(run("sluice remove orders orders.csv --json", cwd=project, env=environment).stdout)
    assert (removed["rows_removed"], removed["rows_left"]) == (0, 3)  # append keeps rows, unless the contract says not
    assert run("sluice remove orders orders.csv", cwd=project, env=environment).returncode == 2
