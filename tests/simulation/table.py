"""The table of guards in docs/exactly-once.md: measured, then written by `python -m tests.simulation --controls`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.controls import GUARDS
from tests.simulation.runner import run

PAGE = Path("docs/exactly-once.md")
_BEGIN, _END = "<!-- controls: begin -->", "<!-- controls: end -->"
_STEP = 20  # seeds that are run together


@dataclass(frozen=True)
class Row:
    """One guard: how many seeds, from 0, until one ended wrong without it (None: none did), and what was wrong."""

    guard: str
    protects: str
    red: int | None
    said: str


def measure(most: int, *, processes: int | None, tell: Callable[[str], None]) -> Sequence[Row]:
    """Take each guard away until a seed ends wrong, for at most so many seeds."""
    rows: list[Row] = []
    for name, guard in GUARDS.items():
        row = Row(name, guard.protects, None, "")
        for start in range(0, most, _STEP):
            wrong = run(range(start, min(start + _STEP, most)), processes=processes, guard=name).wrong
            if wrong:
                first = min(wrong)
                row = Row(name, guard.protects, first + 1, kind_of(wrong[first][0]))
                break
        tell(f"without {name}: {f'red after {row.red} seeds: {row.said}' if row.red else f'green for {most} seeds'}")
        rows.append(row)
    return rows


def kind_of(said: str) -> str:
    """What went wrong, in two words or three."""
    kinds = {
        "at rest after": "never at rest",
        "stuck": "load stuck",
        "wait for ever": "loads wait for ever",
        "lease": "lease held for ever",
        "torn": "torn snapshot",
        "are gone": "table unreadable",
        "went back": "fence went back",
        "says": "wrong account",
        "0 rows too many": "rows lost",
        " 0 missing": "rows doubled or stale",
        "at rest:": "rows lost and stale",
    }
    return next((kind for sign, kind in kinds.items() if sign in said), said[:60])


def write_table(rows: Sequence[Row]) -> None:
    """Put the table between its marks in the page."""
    lines = ["| guard | what it does | seeds until red | what was wrong |", "|---|---|---|---|"]
    lines += [f"| {row.guard} | {row.protects} | {row.red or 'none'} | {row.said} |" for row in rows]
    text = PAGE.read_text()
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    PAGE.write_text("\n".join([f"{before}{_BEGIN}", *lines, f"{_END}{after}"]))
