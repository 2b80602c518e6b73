"""The command `sluice`: which commands there are. What one does stands in its own file."""

from __future__ import annotations

import typer

from sluice.cli.backfill import backfill
from sluice.cli.check import check
from sluice.cli.cost import cost
from sluice.cli.demo.command import demo
from sluice.cli.diff import diff
from sluice.cli.doctor import doctor
from sluice.cli.env import env
from sluice.cli.freeze import freeze
from sluice.cli.frozen import app as frozen
from sluice.cli.init import init
from sluice.cli.orphans import orphans
from sluice.cli.plan.command import plan
from sluice.cli.put import put
from sluice.cli.query import query
from sluice.cli.redrive import redrive
from sluice.cli.rejects import rejects
from sluice.cli.replay import replay
from sluice.cli.runs import runs
from sluice.cli.up import up
from sluice.cli.where import Anywhere, choose

app = typer.Typer(
    name="sluice",
    cls=Anywhere,
    help="Files dropped into S3 become tables that people can trust.",
    epilog="Exit codes: 0 fine, 1 the data broke its contract, 2 wrong usage, contract or statement, 3 AWS failed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and with them rows
)
app.callback()(choose)
for command in (
    demo,
    up,
    env,
    put,
    runs,
    rejects,
    orphans,
    query,
    check,
    init,
    diff,
    plan,
    cost,
    replay,
    redrive,
    doctor,
    backfill,
    freeze,
):
    app.command()(command)
app.add_typer(frozen, name="frozen")
