"""No file makes the kernel slow or hungry: each hostile one ends within 10 s of processor time and 512 MiB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.hostile_cases import CASES

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

SECONDS, MIB = 10, 512
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, Any]]:
    """What `measure` says, by name. Processor time, since other tests run beside this one."""
    command = [sys.executable, "-m", "tests.corpus.measure"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True, timeout=850)
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_hostile_file_ends_soon_in_little_memory_as_its_case_says(
    measured: dict[str, dict[str, Any]], name: str
) -> None:
    found = measured[name]
    assert not found["wrong"], found["wrong"]
    assert found["cpu"] < SECONDS
    assert found["mib"] < MIB
