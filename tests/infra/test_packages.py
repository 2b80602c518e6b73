"""What `make package` puts beside a handler is what the handler needs. Installing takes a network: not tested here."""

from __future__ import annotations

import ast
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
    "openpyxl",
    "zstandard",
}
BROUGHT_ALONG = {"pyiceberg": {"pydantic", "zstandard"}}  # by a package that is in


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


# It makes the clients that a stage asks for, each with its own import: what a stage does not ask for, it never imports.
WIRING = "sluice.stages.services"


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_what_is_imported_late_is_packaged_too(root, stage):
    """A lazy import of what is not there fails at the first event that needs it, and in no other test."""
    present = set(STAGES[stage]).union(*(BROUGHT_ALONG.get(name, set()) for name in STAGES[stage]))
    assert late_imports(root, root / "lambdas" / stage / "handler.py") & HEAVY <= present


def late_imports(root, entry):
    """Name the third-party packages that code reaches from an entry point through `sluice`, lazy imports included."""
    seen, found, ahead = set(), set(), [entry]
    while ahead:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        wiring = path == root / f"{WIRING.replace('.', '/')}.py"
        for name in imports(tree, lazy=not wiring):
            if name.partition(".")[0] != "sluice":
                found.add(name.partition(".")[0])
                continue
            file = root / f"{name.replace('.', '/')}.py"
            ahead += [file] if file.exists() else []
    return found


def imports(tree, *, lazy):
    """Yield the modules that a tree imports, also inside functions if `lazy`; never what only types need."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from imports(ast.Module(node.orelse, []), lazy=lazy)
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.FunctionDef() | ast.Lambda() if not lazy:
                pass
            case _:
                yield from imports(node, lazy=lazy)
