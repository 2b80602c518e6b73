"""`sluice replay`: load objects once more, through the ordinary run."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from typing import Annotated

import typer

from sluice.cli.exits import CommandError, answering
from sluice.cli.screen import AsJson, count_of, emit, show, table
from sluice.cli.target import Target

_SHOWN = 20
_COLUMNS = ("object", "version", "state", "registered", "run", "reason")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?")


def replay(  # noqa: PLR0917  (a command line has options; nobody calls it by position)
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    key: Annotated[list[str] | None, typer.Option("--object", help="Only this key; may be repeated.")] = None,
    run: Annotated[str | None, typer.Option(help="Only what this run loaded, as `sluice runs` names it.")] = None,
    since: Annotated[str | None, typer.Option(help="Only what was registered at or after this time (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Only what was registered before this time (UTC).")] = None,
    state: Annotated[str | None, typer.Option(help="Only loads in this state, PARKED say.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that the dataset ever loaded.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be loaded, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Load objects once more, through the ordinary run: nothing is doubled, and rows of what they replace go."""
    from sluice.stages.replay import LoadFilter, select  # noqa: PLC0415  (the SDK)
    from sluice.stages.replay import replay as reopen  # noqa: PLC0415

    with answering(as_json=as_json):
        if everything == any((key, run, since, until, state)):
            raise CommandError(
                "Which loads?", how="Say --object, --run, --since, --until or --state, or else --all, but not both."
            )
        for name, value in (("--since", since), ("--until", until)):
            if value is not None and not _TIME.fullmatch(value):
                raise CommandError(
                    f"{name} {value} is no time.", how="Write 2024-02-29 or 2024-02-29T12:00:00, in UTC."
                )
        target = Target.from_environment(os.environ)
        selection = LoadFilter(keys=key or (), run_id=run, since=since, until=until, state=state)
        loads = select(target.ledger().loads(dataset), selection)
        if key and (unheard := sorted(set(key) - {load.key for load in loads})) and not (run or since or until):
            raise CommandError(
                f"{dataset} has loaded no object {', '.join(unheard)}.",
                how=f"Name it with its folder, as `sluice put` shows it: {dataset}/FILE.",
            )
        listed = [
            (load.key, load.version_id, load.state, load.registered, load.run_id, load.reason)
            for load in loads[:_SHOWN]
        ]
        if dry_run or not loads:
            if as_json:
                emit({"ok": True, "selected": len(loads), "loads": [load.load_id for load in loads]})
            else:
                show(table(f"{count_of(len(loads), 'load')} of {dataset}", _COLUMNS, listed))
            return
        done = reopen(dataset, loads, ledger=target.ledger(), wake=target.waking())
        if as_json:
            emit({"ok": True, "selected": len(loads), **asdict(done)})
        else:
            show(
                f"{count_of(done.reopened, 'load')} of {dataset} opened again for {done.run_id}; "
                f"{done.waiting} waited already."
            )
