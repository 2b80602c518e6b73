"""`sluice up`: an offline AWS with the project's stacks deployed, until Ctrl-C."""

from __future__ import annotations

import shlex
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from sluice.cli.exits import answering
from sluice.cli.offline import offline_aws
from sluice.cli.screen import AsJson, emit, say, working


def up(
    project: Annotated[Path, typer.Option(help="Folder with app.py.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Start an offline AWS that stays, and print the environment to export."""
    with answering(as_json=as_json):
        done = threading.Event()
        # SIGTERM ends it as Ctrl-C does, so that workers and temporary files go with it.
        signal.signal(signal.SIGTERM, lambda *_: done.set())
        signal.signal(signal.SIGINT, lambda *_: done.set())
        with working("Starting") as progress, offline_aws(project, progress=progress) as cloud:
            environment = cloud.environment()
            progress("Ready. Ctrl-C ends it, and everything in it is gone.")
            if as_json:
                emit({"ok": True, "endpoint": cloud.endpoint, "environment": environment})
            else:
                typer.echo(
                    "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items()))
                )
            done.wait()
            progress("Ending")
        say("The offline AWS has ended.")
