"""The command `sluice`: which commands there are. What one does stands in its own file."""

from __future__ import annotations

from collections.abc import Callable

import typer

from sluice.cli.backfill import backfill
from sluice.cli.check import check
from sluice.cli.cost import cost
from sluice.cli.demo.command import demo
from sluice.cli.deploy.commands import bootstrap, changes, deploy, destroy, package, synth
from sluice.cli.deployed import apply
from sluice.cli.diff import diff
from sluice.cli.doctor import doctor
from sluice.cli.env import env
from sluice.cli.freeze import freeze
from sluice.cli.frozen import app as frozen
from sluice.cli.init import init
from sluice.cli.new.command import new
from sluice.cli.orphans import orphans
from sluice.cli.preview.command import preview
from sluice.cli.put import put
from sluice.cli.query import query
from sluice.cli.redrive import redrive
from sluice.cli.rejects import rejects
from sluice.cli.remove import remove
from sluice.cli.replay import replay
from sluice.cli.runs import runs
from sluice.cli.up import up
from sluice.cli.where import Anywhere, choose
from sluice.cli.why import why

app = typer.Typer(
    name="sluice",
    cls=Anywhere,
    help="Files dropped into S3 become tables that people can trust.",
    epilog="Exit codes: 0 fine, 1 the data broke its contract, 2 wrong usage, contract or statement, 3 AWS failed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and with them rows
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(choose)
# The order in which people meet them. A command line belongs to one group.
GROUPS: dict[str, tuple[Callable[..., None], ...]] = {
    "Begin": (new, demo, init, up, env),
    "Change contracts and marts": (check, diff, preview, apply),
    "Load files and look at tables": (put, remove, runs, rejects, orphans, query, why, freeze),
    "Deploy": (bootstrap, synth, package, changes, deploy, destroy),
    "Repair and watch": (doctor, replay, backfill, redrive, cost),
}
for panel, commands in GROUPS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(frozen, name="frozen", rich_help_panel="Load files and look at tables")
