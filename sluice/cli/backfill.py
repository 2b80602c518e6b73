"""`sluice backfill`: rebuild a dataset beside its live tables, and swap it in at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.screen import AsJson, emit, show, working
from sluice.cli.target import Target
from sluice.locations import rejects_table

if TYPE_CHECKING:
    from sluice.lake.marks import TableState

_PAUSE_SECONDS = 1.0


def backfill(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    wait: Annotated[bool, typer.Option(help="Wait until the rebuilt tables are swapped in.")] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait at most.")] = 6 * 3600,
    as_json: AsJson = False,
) -> None:
    """Load everything once more, under the deployed contract, and put it in the place of the tables at once."""
    from sluice.stages.rebuild import ask  # noqa: PLC0415

    with answering(as_json=as_json):
        target = Target.from_environment(os.environ)
        before = _table_state(target, dataset)
        ledger = target.ledger()
        if parked := [load.key for load in ledger.loads(dataset) if load.state == "PARKED"]:
            raise CommandError(
                f"{len(parked)} loads of {dataset} were given up, {parked[0]} among them: a rebuild would lack them.",
                how=f"Repair the cause, then `sluice replay {dataset} --state PARKED`.",
                code=Exit.DATA,
            )
        asked = ask(dataset, before, ledger=ledger, wake=target.waking())
        done = None
        if wait:
            with working(f"Rebuilding {dataset}") as progress:
                done = _swapped(target, dataset, asked.generation, deadline=time.monotonic() + timeout, say=progress)
        if as_json:
            emit({"ok": True, "dataset": dataset, "generation": asked.generation, "asked": asked.is_new, "done": done})
        elif done:
            show(f"{dataset} is rebuilt: all its rows went through the deployed contract.")
        else:
            show(f"{dataset} will be rebuilt by {asked.run_id}, or the run after it. see `sluice runs {dataset}`.")


def _swapped(target: Target, dataset: str, generation: int, *, deadline: float, say: Callable[[str], None]) -> bool:
    """Wait until the tables are of this generation. Raises CommandError if the rebuild was given up or takes long."""
    ledger = target.ledger()
    while _table_state(target, dataset).generation < generation:
        lease = ledger.lease(dataset)
        if lease.generation < generation:
            raise CommandError(
                f"The rebuild of {dataset} was given up: there is nothing to load, or its runs failed.",
                how=f"`sluice runs {dataset}` says why. The tables are what they were.",
                code=Exit.INFRASTRUCTURE,
            )
        if time.monotonic() > deadline:
            raise CommandError(
                f"{dataset} is not rebuilt yet.",
                how=f"It will be: `sluice runs {dataset}` says how far it is.",
                code=Exit.INFRASTRUCTURE,
            )
        say(f"Rebuilding {dataset}: {lease.run_id or 'waiting for the next run'}")
        time.sleep(_PAUSE_SECONDS)
    return True


def _table_state(target: Target, dataset: str) -> TableState:
    from sluice.lake.marks import properties_in_glue, table_state  # noqa: PLC0415

    glue = target.client("glue")
    curated = properties_in_glue(glue, database=target.database, table=dataset)
    if not curated:
        raise CommandError(
            f"There is no table {dataset}: no run of it has published yet.", how="There is nothing to rebuild."
        )
    return table_state(curated, properties_in_glue(glue, database=target.database, table=rejects_table(dataset)))
