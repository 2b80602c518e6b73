"""What `make package` puts beside a handler is what the handler needs. Installing takes a network: not tested here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stacks.packages import STAGES, _locked

HEAVY = {
    "duckdb",
    "pyarrow",
    "pyiceberg",
    "pandas",
    "numpy",
    "sqlglot",
    "pydantic",
    "yaml",
    "typer",
    "moto",
    "awswrangler",
}
BROUGHT_ALONG = {"pyiceberg": {"pydantic"}}  # by a package that is in


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_handler_can_be_imported_with_its_own_packages_only(root, stage):
    present = set(STAGES[stage]).union(*(BROUGHT_ALONG.get(name, set()) for name in STAGES[stage]))
    absent = sorted(HEAVY - present)
    code = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); import handler; handler.handler"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(root / "lambdas" / stage), str(root)]),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "POWERTOOLS_METRICS_NAMESPACE": "sluice",
        "POWERTOOLS_SERVICE_NAME": stage,
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_every_package_is_locked_with_hashes(root):
    locked = dict(_locked((root / "requirements.lock").read_text(encoding="utf-8")))
    wanted = {name for names in STAGES.values() for name in names}
    assert wanted <= locked.keys()
    assert all("--hash=sha256:" in locked[name] for name in wanted)
