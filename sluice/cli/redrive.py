"""`sluice redrive`: dead letters of ingest go back to its queue."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Annotated

import typer

from sluice.cli.exits import answering
from sluice.cli.screen import AsJson, emit, show
from sluice.cli.target import Target


def redrive(
    most: Annotated[int, typer.Option(min=1, help="At most so many messages.")] = 10_000, as_json: AsJson = False
) -> None:
    """Send the dead letters of ingest to its queue again, after what made them fail was repaired."""
    from sluice.stages.redrive import redrive as move  # noqa: PLC0415

    with answering(as_json=as_json):
        target = Target.from_environment(os.environ)
        queue, dead_letters = target.need("ingest_queue"), target.need("dead_letters")
        done = move(target.client("sqs"), dead_letters=dead_letters, queue=queue, most=most)
        if as_json:
            emit({"ok": True, **asdict(done)})
        else:
            show(f"{done.moved} messages went back to the queue; {done.left} dead letters are left.")
