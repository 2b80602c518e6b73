"""The table of guards in docs/exactly-once.md: measured, then written by `python -m tests.simulation --controls`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.controls import GUARDS, without
from tests.simulation.runner import run, spread

PAGE = Path("docs/exactly-once.md")
_BEGIN, _END = "<!-- controls: begin -->", "<!-- controls: end -->"
_STEP = 20  # seeds that are run together


@dataclass(frozen=True)
class Row:
    """One guard: its story, what is wrong with it and without the guard, and the seeds (from 0) until one ended wrong.

    `red` is None where none of `tried` seeds did.
    """

    guard: str
    protects: str
    told: str
    with_it: tuple[str, ...]
    without_it: tuple[str, ...]
    red: int | None
    tried: int

    @property
    def holds(self) -> bool:
        """Whether the story ends well with the guard, and wrong without it."""
        return not self.with_it and bool(self.without_it)


def measure(asked: int, *, processes: int | None, tell: Callable[[str], None]) -> Sequence[Row]:
    """Play each guard's story with and without it, then at most so many seeds without it."""
    rows: list[Row] = []
    for name, (with_it, without_it) in zip(GUARDS, spread(play_story, [*GUARDS], processes=processes), strict=True):
        red, guard = None, GUARDS[name]
        for start in range(0, asked, _STEP):
            seeds = range(start, min(start + _STEP, asked))
            wrong = set(run(seeds, processes=processes, guard=name).wrong)
            if wrong and guard.alone:  # without the reconciler some seeds end wrong though the guard is there
                wrong -= set(run(sorted(wrong), processes=processes, guard=name, only_context=True).wrong)
            if wrong:
                red = min(wrong) + 1
                break
        rows.append(Row(name, guard.protects, guard.told, with_it, without_it, red, asked))
        told = kind_of(without_it[0]) if without_it else "GREEN"
        tell(f"without {name}: {told}" + (f", {red or f'more than {asked}'} seeds" if asked else ""))
    return rows


def play_story(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Play a guard's story with the guard and without it; return what was wrong."""
    from tests.simulation.scenario import play  # noqa: PLC0415  (AWS begins in the processes, not in their parent)

    story = GUARDS[name].story
    with without(name, only_context=True):
        well = play(story).wrong
    with without(name):
        ill = play(story).wrong
    return tuple(well), tuple(ill)


def kind_of(said: str) -> str:
    """What went wrong, in a few words."""
    kinds = {
        "visits": "a load waits for ever",
        "stuck": "a load waits for ever",
        "torn": "a reader meets rows that no run decided",
        "are gone": "the table cannot be read",
        "went back": "an older run overwrites a newer one",
        "says": "the account is wrong",
        ": 0 rows too many": "rows are lost",
        "missing": "rows are doubled or stale",
    }
    return next((kind for sign, kind in kinds.items() if sign in said), said[:60])


def write_table(rows: Sequence[Row]) -> None:
    """Put the table between its marks in the page."""
    lines = ["| guard | what it does | a story that needs it | without it | seeds |", "|---|---|---|---|---|"]
    for row in rows:
        seeds = str(row.red) if row.red else f"more than {row.tried}"
        seeds += ", the reconciler away" if GUARDS[row.guard].alone else ""
        ends = kind_of(row.without_it[0]) if row.without_it else "nothing is wrong"
        lines.append(f"| {row.guard} | {row.protects} | {row.told} | {ends} | {seeds} |")
    text = PAGE.read_text()
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    PAGE.write_text("\n".join([f"{before}{_BEGIN}", *lines, f"{_END}{after}"]))
