"""How the command line speaks: answers on stdout, everything else on stderr. No command logic.

With `--json` stdout holds exactly one JSON object. Rich is imported when the first thing is said.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

_LOG_SECONDS = 10

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for machines.")]


def emit(document: dict[str, Any]) -> None:
    """Answer a machine: one line of JSON on stdout."""
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Something a person may want to know while or after the command works: stderr, Rich markup allowed."""
    from rich.console import Console  # noqa: PLC0415  (half of `sluice --help` otherwise)

    Console(stderr=True, highlight=False, soft_wrap=True).print(text)


def show(*parts: Any) -> None:
    """Answer a person: text with Rich markup, or tables, on stdout."""
    from rich.console import Console  # noqa: PLC0415

    console = Console(highlight=False)
    if not console.is_terminal:  # a file or a pipe has no width: never cut what a person may grep for
        console = Console(highlight=False, width=200)
    for part in parts:
        console.print(part)


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: Sequence[str] = ()
) -> RenderableType:
    """Draw a table that reads well: `numbers` are right-aligned with thousands separated, None is left blank."""
    from rich import box  # noqa: PLC0415
    from rich.console import Group  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        drawn.add_column(escape(column), justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(_cell(value)) for value in row))
    return Group(f"[bold]{escape(title)}[/]", drawn) if title else drawn


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner on stderr while the block works; call the yielded function to say what it works on now."""
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        line = _Log(console.print)
        line(what)
        yield line
        return
    with console.status(what) as status:
        yield lambda text: status.update(text.replace("[", r"\["))


class _Log:
    """Lines for a log file: what is new after the words before the colon is told every ten seconds at most."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write, self._topic, self._told = write, "", 0.0

    def __call__(self, text: str) -> None:
        topic, now = text.partition(":")[0], time.monotonic()
        if topic != self._topic or now - self._told >= _LOG_SECONDS:
            self._write(text, markup=False, soft_wrap=True)
            self._topic, self._told = topic, now


def count_of(number: int, thing: str) -> str:
    """Write a count with its noun: `1 file`, `2 files`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.2f}"
        case _:
            return visible(str(value))


def visible(text: str) -> str:
    """Write control and formatting characters as escapes: what a stranger put into a file or key only looks like it.

    Otherwise a cell could colour the terminal, overwrite a line, or turn the text beside it around.
    """
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in text)
