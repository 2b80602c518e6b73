"""Synthesis stops at the first mistake of an author, says what to correct, and leaves no templates."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Edit = Callable[[Path], None]
SHARED = ("stacks", "sluice", "lambdas", "glue_jobs", "cdk.json")


def nothing(_: Path) -> None:
    """The mistake is in the context."""


def wrong_type(project: Path) -> None:
    contract = project / "contracts" / "airlines.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    broken = re.sub(r"logicalType: string", "logicalType: strnig", text, count=1)
    assert broken != text
    contract.write_text(broken, encoding="utf-8")


def unknown_table(project: Path) -> None:
    (project / "contracts" / "flights.odcs.yaml").unlink()


def hash_without_salt(project: Path) -> None:
    contract = project / "contracts" / "airlines.odcs.yaml"
    text = contract.read_text(encoding="utf-8")
    hashing = text.replace("mode: replace", "mode: replace\n          protect: {public: hash}").replace(
        "      - name: name\n", "      - name: name\n        classification: public\n"
    )
    assert hashing.count("public") == 2
    contract.write_text(hashing, encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "context", "said"),
    [
        pytest.param(wrong_type, "{}", ("airlines.odcs.yaml", "strnig"), id="contract"),
        pytest.param(unknown_table, "{}", (".sql", "flights"), id="mart"),
        pytest.param(nothing, '{"env": "moon"}', ("app.py", "'moon'"), id="setting"),
        pytest.param(nothing, '{"log_days": "8"}', ("log_days", "8 days"), id="log days"),
        pytest.param(hash_without_salt, "{}", ("dataset airlines hashes values", "salt_parameter"), id="salt"),
    ],
)
def test_mistake_fails_synth_with_place_and_remedy_and_no_traceback(
    root: Path, tmp_path: Path, edit: Edit, context: str, said: tuple[str, ...]
) -> None:
    shutil.copyfile(root / "app.py", tmp_path / "app.py")
    for name in SHARED:
        (tmp_path / name).symlink_to(root / name)
    for name in ("contracts", "marts"):
        shutil.copytree(root / name, tmp_path / name)
    edit(tmp_path)
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=tmp_path,
        env={**os.environ, "CDK_OUTDIR": str(tmp_path / "out"), "CDK_CONTEXT_JSON": context},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("sluice: ")
    assert all(words in done.stderr for words in said)
    assert "Remedy: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("*.template.json"))
