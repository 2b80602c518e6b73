"""`sluice bootstrap`, `synth`, `package`, `changes`, `deploy` and `destroy`: what undoes `deploy` is `destroy`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.bundle import DEPLOY, child_environment
from sluice.cli.deploy.toolkit import cdk, installed
from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.offline import synthesize
from sluice.cli.screen import AsJson, emit, say, show, table, working

Folder = Annotated[Path, typer.Option("--project", help="Folder with app.py, contracts/ and marts/.")]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", "-c", metavar="SETTING=VALUE", help="One setting for this time; may be repeated."),
]
Sure = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

OUTPUT = "cdk.out"  # in the project: the templates, and what is uploaded with them


def bootstrap(project: Folder = Path(), as_json: AsJson = False) -> None:
    """Prepare an account and region for deployments, once each (`cdk bootstrap`)."""
    with answering(as_json=as_json):
        _synthesized(project, {})
        cdk("bootstrap", "--app", OUTPUT, project=project, to_stderr=as_json)
        if as_json:
            emit({"ok": True, "environment": _environment()})


def synth(project: Folder = Path(), context: Context = None, as_json: AsJson = False) -> None:
    """Write the CloudFormation templates to cdk.out. No account is needed."""
    with answering(as_json=as_json):
        templates = _synthesized(project, _settings(context))
        if as_json:
            emit({"ok": True, "templates": templates})
            return
        rows = [(f"{OUTPUT}/{name}.template.json", count) for name, count in templates.items()]
        show(table("", ("template", "resources"), rows, numbers=("resources",)))


def package(project: Folder = Path(), as_json: AsJson = False) -> None:
    """Fetch the third-party packages of every function for its runtime, by the lock, without Docker."""
    with answering(as_json=as_json):
        _packaged(project, to_stderr=as_json)
        if as_json:
            emit({"ok": True})


def changes(project: Folder = Path(), context: Context = None, as_json: AsJson = False) -> None:
    """Show what a deployment would change in the account (`cdk diff`). It changes nothing."""
    with answering(as_json=as_json):
        _prepared(project, context, to_stderr=as_json)
        cdk("diff", "--all", "--app", OUTPUT, project=project, to_stderr=as_json)
        if as_json:
            emit({"ok": True, "environment": _environment()})


def deploy(project: Folder = Path(), context: Context = None, yes: Sure = False, as_json: AsJson = False) -> None:
    """Show what would change, ask, and deploy. `sluice destroy` undoes it, and keeps the data."""
    with answering(as_json=as_json):
        _prepared(project, context, to_stderr=as_json)
        if not yes:
            cdk("diff", "--all", "--app", OUTPUT, project=project, to_stderr=as_json)
            _ask(f"Deploy this to {_environment()}?")
        outputs = project / OUTPUT / "outputs.json"
        words = ("deploy", "--all", "--require-approval", "never", "--outputs-file", str(outputs.resolve()))
        cdk(*words, "--app", OUTPUT, project=project, to_stderr=as_json)
        if as_json:
            emit({"ok": True, "environment": _environment(), "outputs": json.loads(outputs.read_text("utf-8"))})
        else:
            say(f"Deployed. Next: sluice put DATASET FILE --env {_environment()}")


def destroy(project: Folder = Path(), context: Context = None, yes: Sure = False, as_json: AsJson = False) -> None:
    """Remove what `deploy` made. Buckets, ledger and Glue database stay, with all data, unless two keys are set."""
    with answering(as_json=as_json):
        _synthesized(project, _settings(context))
        if not yes:
            _ask(f"Remove the stacks of {_environment()}? The data stays (docs/deploy.md, Data has two keys).")
        cdk("destroy", "--all", "--force", "--app", OUTPUT, project=project, to_stderr=as_json)
        if as_json:
            emit({"ok": True, "environment": _environment()})


def _environment() -> str:
    """Return the environment that `--env` chose."""
    return os.environ.get("SLUICE_ENV") or "dev"


def _settings(context: Sequence[str] | None) -> Mapping[str, str]:
    """Read `-c SETTING=VALUE`. Raises CommandError for one without a value."""
    pairs = [word.partition("=") for word in context or ()]
    for name, equals, _ in pairs:
        if not equals:
            raise CommandError(f"The setting {name} has no value.", how=f"Say: -c {name}=VALUE")
    return {name: value for name, _, value in pairs}


def _synthesized(project: Path, settings: Mapping[str, str]) -> Mapping[str, int]:
    """Synthesize into cdk.out. Returns how many resources each template has."""
    with working(f"Synthesizing the templates of {_environment()}"):
        synthesize(project, (project / OUTPUT).resolve(), context={"env": _environment(), **settings})
    found: dict[str, int] = {}
    manifest: dict[str, Any] = json.loads((project / OUTPUT / "manifest.json").read_text(encoding="utf-8"))
    for name, artifact in manifest["artifacts"].items():
        if artifact["type"] == "aws:cloudformation:stack":
            template = project / OUTPUT / artifact["properties"]["templateFile"]
            found[name] = len(json.loads(template.read_text(encoding="utf-8"))["Resources"])
    return found


def _packaged(project: Path, *, to_stderr: bool) -> None:
    done = subprocess.run(  # noqa: S603  (our own module)
        [sys.executable, "-m", f"{DEPLOY}.packages", str(project.resolve())],
        env=child_environment(),
        stdout=2 if to_stderr else None,
        check=False,
    )
    if done.returncode:
        raise CommandError(
            "The packages could not be fetched, or are too large; what failed stands above.",
            how="It needs a network once. An index of your own is set by UV_INDEX_URL and PIP_INDEX_URL.",
            code=Exit.INFRASTRUCTURE,
        )


def _prepared(project: Path, context: Sequence[str] | None, *, to_stderr: bool) -> None:
    """Do all that needs no account: fetch packages and tools, and synthesize."""
    settings = _settings(context)
    _packaged(project, to_stderr=to_stderr)
    with working("Preparing") as progress:
        installed(progress=progress)
    _synthesized(project, {"packaged": "true", **settings})


def _ask(question: str) -> None:
    if not typer.confirm(question, default=False, err=True):
        raise CommandError("Nothing was changed.", how="Answer y, or say --yes.")
