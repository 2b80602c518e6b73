"""Fixtures that every kind of test may use. Nothing here starts anything unless a test asks for it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder: `contracts/`, `marts/` and all."""
    return ROOT


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly that `app.py` synthesizes, made once for all test processes of this session."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if os.environ.get("PYTEST_XDIST_WORKER") else shared
    folder = shared / "assembly"
    with (shared / "assembly.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").exists():
            subprocess.run(
                [sys.executable, "app.py"], cwd=ROOT, env={**os.environ, "CDK_OUTDIR": str(folder)}, check=True
            )
    return folder
