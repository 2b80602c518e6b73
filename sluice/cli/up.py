"""`sluice up`: an offline AWS with the project's stacks deployed, until Ctrl-C."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from sluice.cli.deployed import OFFLINE, serve
from sluice.cli.exits import answering
from sluice.cli.home import Home
from sluice.cli.offline import make_salt, offline_aws
from sluice.cli.screen import AsJson, emit, say, working


def up(
    project: Annotated[Path, typer.Option(help="Folder with app.py.")] = Path(),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew: forget all files and tables it holds.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start an offline AWS that stays until Ctrl-C and keeps its tables for the next time.

    The other commands find it from the project's folder.
    """
    with answering(as_json=as_json):
        done = threading.Event()
        # SIGTERM ends it as Ctrl-C does, so that workers and temporary files go with it.
        signal.signal(signal.SIGTERM, lambda *_: done.set())
        signal.signal(signal.SIGINT, lambda *_: done.set())
        home, started = Home.of(project), time.monotonic()
        with (
            working("Starting") as progress,
            offline_aws(project, home=home, progress=progress, context=OFFLINE, fresh=fresh) as cloud,
        ):
            if made := make_salt(cloud):
                say(f"Made the salt of hashed columns, {made}; it is kept with the tables.")
            cloud.start_clock()
            environment = cloud.environment()
            serve(cloud, home)
            if as_json:
                emit({"ok": True, "endpoint": cloud.endpoint, "environment": environment})
            say(
                f"The offline AWS of [bold]{home.project}[/] is ready after {time.monotonic() - started:.0f} s, "
                f"at {cloud.endpoint}.\nCommands in this folder find it by themselves, in another terminal: "
                'sluice put DATASET FILE\nOther programs: eval "$(sluice env)"'
            )
            if cloud.state.restored:
                say("Files and tables are as they were left; `sluice up --fresh` would begin anew.")
            progress("Running. Ctrl-C ends it.")
            done.wait()
            progress("Ending")
        shutil.rmtree(home.work, ignore_errors=True)
        say(f"The offline AWS has ended. What it holds is kept in {home.state}.")
