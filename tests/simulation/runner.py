"""Many seeds on all processors, and what they came to."""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
_CHUNK = 5
_TRACE = 80  # last calls of a failing seed that are shown


@dataclass
class Report:
    """What many seeds came to."""

    seeds: int = 0
    counted: int = 0  # whose tables are not empty
    commits: int = 0
    calls: int = 0
    faults: int = 0
    seconds: float = 0.0
    wrong: dict[int, list[str]] = field(default_factory=dict)
    traces: dict[int, list[str]] = field(default_factory=dict)
    inventory: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """One object for machines."""
        return {
            "seeds": self.seeds,
            "counted": self.counted,
            "empty": self.seeds - self.counted - len(self.wrong),
            "commits": self.commits,
            "calls": self.calls,
            "faults": self.faults,
            "seconds": round(self.seconds, 1),
            "wrong": {str(seed): said for seed, said in sorted(self.wrong.items())},
        }


def run(seeds: Iterable[int], *, processes: int | None = None, guard: str = "", only_context: bool = False) -> Report:
    """Play seeds side by side. `guard` names a guard to take away, or what would repair it only (`controls.py`)."""
    report, began = Report(), time.monotonic()
    for verdict in spread(_Playing(guard, only_context), list(seeds), processes=processes):
        report.seeds += 1
        report.commits += verdict.commits
        report.calls += verdict.calls
        report.faults += verdict.struck
        report.inventory.update(verdict.inventory)
        if verdict.wrong:
            report.wrong[verdict.seed] = verdict.wrong
            report.traces[verdict.seed] = verdict.trace[-_TRACE:]
        elif verdict.rows:
            report.counted += 1
    report.seconds = time.monotonic() - began
    return report


def spread(work: Callable[[Any], T], items: Sequence[Any], *, processes: int | None = None) -> Iterator[T]:
    """Do items side by side, each in one of a few processes that hold an AWS of their own."""
    count = processes or os.cpu_count() or 1
    fresh = multiprocessing.get_context("spawn")  # what is replaced in libraries stays in there
    with ProcessPoolExecutor(count, mp_context=fresh, initializer=quiet) as pool:
        yield from pool.map(work, items, chunksize=max(1, min(_CHUNK, len(items) // count)))


def quiet() -> None:
    """Let libraries keep to themselves what faults make them say."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)


def play_by(how: tuple[int, bool]) -> Any:
    """Play a seed with its trace, with calls that go to moto directly or all the long way (`direct.py`)."""
    from tests.simulation.aws import aws  # noqa: PLC0415  (AWS begins in the processes, not in their parent)
    from tests.simulation.scenario import play, write  # noqa: PLC0415

    seed, aws().direct = how
    try:
        return play(write(seed), keep_trace=True)
    finally:
        aws().direct = True


def shrunk(seed_without: tuple[int, str]) -> tuple[str, list[str]]:
    """Return the smallest story of a seed that still ends wrong without a guard (or with all), and its trace."""
    from tests.simulation.controls import without  # noqa: PLC0415  (as above)
    from tests.simulation.scenario import play, shrink, write  # noqa: PLC0415

    seed, guard = seed_without
    with without(guard):
        small = shrink(write(seed))
        return str(small), play(small).trace


@dataclass(frozen=True)
class _Playing:
    guard: str
    only_context: bool

    def __call__(self, seed: int) -> Any:
        from tests.simulation.controls import without  # noqa: PLC0415  (AWS begins in the processes, not in their parent)
        from tests.simulation.scenario import play, write  # noqa: PLC0415

        with without(self.guard, only_context=self.only_context):
            return play(write(seed))
