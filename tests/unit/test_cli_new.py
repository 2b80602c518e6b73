"""`sluice new`: what it writes is a project, whose contract and mart compile and whose sample keeps its contract."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.project import load_project

RUNNER = CliRunner()
FILES = {
    "2026-11-30.csv": [".github/workflows/check.yml", ".github/workflows/deploy.yml", ".gitignore", "AGENTS.md",
                       "README.md", "app.py", "cdk.json", "contracts/orders.odcs.yaml", "marts/orders_by_day.sql",
                       "pyproject.toml", "samples/orders/2026-11-30.csv", "tests/test_project.py"],
}  # fmt: skip


def new(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Path:
    monkeypatch.chdir(folder)
    done = RUNNER.invoke(app, ["new", "my-lake", *words])
    assert done.exit_code == 0, done.output
    return folder / "my-lake"


def test_example_keeps_its_own_contract_and_its_mart_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = new(tmp_path, monkeypatch)
    written = sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    assert written == FILES["2026-11-30.csv"]
    assert len((project / "app.py").read_text().splitlines()) <= 15
    assert [mart.name for mart in load_project(project).marts] == ["orders_by_day"]
    monkeypatch.chdir(project)
    checked = RUNNER.invoke(app, ["check", "orders", "samples/orders/2026-11-30.csv"])
    assert checked.exit_code == 0, checked.output
    assert not [path for path in project.rglob("*") if path.is_file() and "$" in path.read_text().replace("${{", "")
                and path.suffix not in {".yml", ".md"}]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "dataset", "by"),
    [
        ("id,day,kind\n1,2026-01-02,a\n2,2026-01-03,b\n", "trips", '"day"'),
        ("id,at\n1,2026-01-02T10:00:00Z\n2,2026-01-03T11:00:00Z\n", "trips", 'CAST("at" AS date)'),
        ("id,from\n1,Porto\n2,Lyon\n3,Porto\n", "trips", '"from"'),
        ("id\n1\n2\n", "trips", "count(*)"),
    ],
)
def test_file_of_ones_own_becomes_a_dataset_with_a_mart(
    content: str, dataset: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Trips 2026-11.csv").write_text(content)
    project = new(tmp_path, monkeypatch, "--file", "Trips 2026-11.csv")
    assert (project / "samples" / dataset / "Trips 2026-11.csv").read_text() == content
    loaded = load_project(project)
    assert list(loaded.plans) == [dataset]
    assert [mart.name for mart in loaded.marts] == [f"{dataset}_summary"]
    assert by in (project / "marts" / f"{dataset}_summary.sql").read_text()
    monkeypatch.chdir(project)
    assert RUNNER.invoke(app, ["check", dataset, f"samples/{dataset}/Trips 2026-11.csv"]).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["new", "taken"], "is there already"),
        (["new", "my lake"], "no name for a project"),
        (["new", "x", "--dataset", "orders"], "needs a file"),
        (["new", "x", "--file", "taken/file", "--dataset", "A-B"], "no name for a table"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_overwritten(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    done = RUNNER.invoke(app, words)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(("module", "command", "extra"), [("moto", "up", "local"), ("aws_cdk", "synth", "deploy")])
def test_command_whose_packages_are_not_installed_names_the_extra(
    module: str, command: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = new(tmp_path, monkeypatch)
    (tmp_path / "absent").mkdir()  # a package that cannot be imported, as if it were not there
    (tmp_path / "absent" / f"{module}.py").write_text(f"raise ModuleNotFoundError('no', name='{module}')\n")
    code = f"import sys; sys.argv = ['sluice', '{command}', '--json']; from sluice.cli.main import app; app()"
    path = f"{tmp_path / 'absent'}:{Path(__file__).parents[2]}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    said = json.loads(done.stdout)["error"]
    assert f"pip install 'sluice[{extra}]'" in said["what"] + said["how"]
