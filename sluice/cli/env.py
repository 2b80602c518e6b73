"""`sluice env`: the offline AWS of this project as environment variables, for other people's programs."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from sluice.cli.exits import answering
from sluice.cli.screen import AsJson, emit
from sluice.cli.target import Target


def env(as_json: AsJson = False) -> None:
    """Print the offline AWS as exports, for a shell: eval "$(sluice env)". Sluice's own commands need none."""
    with answering(as_json=as_json):
        environment = dict(Target.from_environment({}, start=Path.cwd()).access)
        if as_json:
            emit({"ok": True, "environment": environment})
        else:
            typer.echo("\n".join(f"export {name}={shlex.quote(text)}" for name, text in sorted(environment.items())))
