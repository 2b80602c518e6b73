"""Contracts and marts compile, and every sample keeps its contract. No AWS, no network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLES = sorted(path for path in (ROOT / "samples").glob("*/*") if path.is_file())


def sluice(*words: str) -> dict:
    command = [sys.executable, "-m", "sluice", *words, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_sample_keeps_its_contract(sample: Path) -> None:
    answer = sluice("check", sample.parent.name, str(sample))
    assert answer["rows_accepted"] > 0


def test_contracts_and_marts_become_templates() -> None:
    assert len(sluice("synth")["templates"]) == 2
