"""`--env` and `--profile`: which deployment a command talks to. They may stand anywhere on the line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sluice.bundle import release

_ANYWHERE = ("--env", "--profile")


class Anywhere(TyperGroup):
    """The group of all commands. What says where is the same for each of them, so none has to take it itself."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the line as if `--env` and `--profile` stood before the command."""
        return super().parse_args(ctx, in_front(args))


def in_front(args: Sequence[str]) -> list[str]:
    """Move the two options and their values to the front. What comes after `--` is no option."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            return [*front, *rest, word, *words]
        name, given, _ = word.partition("=")
        if name not in _ANYWHERE:
            rest.append(word)
        elif given:
            front.append(word)
        else:
            front += [word, *(value for value in [next(words, None)] if value is not None)]
    return [*front, *rest]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"sluice {release()}")
        raise typer.Exit


def choose(
    env: Annotated[
        str | None, typer.Option(help="The deployed environment, as app.py names it. May follow the command.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="The profile of your AWS credentials. May follow the command.")
    ] = None,
    version: Annotated[  # noqa: ARG001  (its callback acts)
        bool, typer.Option("--version", help="Show the version of Sluice, and end.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Files dropped into S3 become tables that people can trust."""
    for name, value in (("SLUICE_ENV", env), ("AWS_PROFILE", profile)):
        if value is not None:
            os.environ[name] = value
