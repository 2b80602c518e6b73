"""`sluice diff`: typed changes in words, and readers are not broken unless the version says so, at synth too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from sluice.cli.main import app
from sluice.errors import ContractError
from sluice.project import load_project
from tests.unit.test_cli_check import CONTRACT


@pytest.fixture
def contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "contracts").mkdir()
    path = tmp_path / "contracts" / "orders.odcs.yaml"
    path.write_text(CONTRACT)
    monkeypatch.chdir(tmp_path)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["diff", *arguments])


def test_a_released_contract_is_what_the_next_one_is_compared_with(contract: Path) -> None:
    assert "nothing to compare with" in run().stdout
    assert "nothing to compare with" in run().stdout  # looking records nothing
    assert run("--release").exit_code == 0
    assert "orders: no change" in run().stdout
    contract.write_text(CONTRACT + "      - name: note\n        logicalType: string\n")
    changes = json.loads(run("--json").stdout)["datasets"]["orders"]
    assert [(change["kind"], change["breaks_readers"], change["applied"]) for change in changes] == [
        ("AddColumn", False, "next run")
    ]


def test_what_breaks_readers_is_refused_until_the_major_version_says_it(contract: Path) -> None:
    run("--release")
    renamed = CONTRACT.replace("name: amount", "name: total")
    contract.write_text(renamed)
    refused = run("--json")
    assert refused.exit_code == 2
    assert "column amount is gone" in json.loads(refused.stdout)["error"]["what"]
    with pytest.raises(ContractError, match="would break readers"):
        load_project(contract.parents[1])
    contract.write_text(renamed.replace("version: 1.0.0", "version: 2.0.0"))
    assert run().exit_code == 0
    assert load_project(contract.parents[1]).plans["orders"].version == "2.0.0"


@pytest.mark.usefixtures("contract")
def test_a_dataset_without_a_contract_is_named() -> None:
    refused = run("parcels")
    assert refused.exit_code == 2
    assert "There is no contract contracts/parcels.odcs.yaml" in refused.output
