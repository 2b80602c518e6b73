"""`python -m sluice`: the command, for where the script `sluice` is not on the path."""

from sluice.cli.main import app

app(prog_name="sluice")
