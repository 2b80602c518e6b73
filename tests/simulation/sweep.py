"""Exhaustive sweeps: every single fault of one load's whole life, and every pair of faults on the publish path.

A life goes from the upload to the settled load. It is lived once without fault, which numbers its calls; then once for
each call and each thing that can happen to it. Death comes before and after each call that changes something: between
two of these, it leaves the same whenever it comes. What came before the life is played once, and forked.
"""

from __future__ import annotations

import gc
import os
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from tests.simulation.gate import Call, Fault
from tests.simulation.runner import spread
from tests.simulation.scenario import Scenario, Step, Story, Verdict, play

_A = b"id,day,amount\n1,2024-01-10,5\nx,2024-01-10,1\n"
_B = b"id,day,amount\n2,2024-01-20,7\n3,,bad\n"
_A2 = b"id,day,amount\n1,2024-01-11,6\ny,2024-02-20,1\n4,2024-02-20,4\n"
_BEGIN = 100.0  # the life that is swept begins here; what was before is scenery
_OLD = 100_000.0  # or here, where scenery is to be old
_LASTS = 900.0
_PART = 40  # lives that share a scenery


def _story(mode: str, on_delete: str, *steps: Step, distributed: bool = False) -> Scenario:
    return Scenario(
        seed=1,
        mode=mode,
        on_delete=on_delete,
        distributed=distributed,
        stickiness=0.95,
        twins=0.0,
        steps=steps,
        faults=(),
    )


_SCENERY = (Step(0.0, "put", ("a.csv", _A), (("hold", True),)), Step(0.0, "put", ("b.csv", _B)))
STORIES: Mapping[str, Scenario] = {
    "append: an object that shares its files is overwritten": _story(
        "append", "keep", *_SCENERY, Step(_BEGIN, "put", ("a.csv", _A2))
    ),
    "append: an object is retracted, another comes meanwhile": _story(
        "append",
        "retract",
        *_SCENERY,
        Step(_BEGIN, "delete", ("a.csv",)),
        Step(_BEGIN + 0.3, "put", ("c.csv", _A)),
    ),
    "append: an event is lost, the contract changes, the reconciler comes twice": _story(
        "append",
        "keep",
        *_SCENERY,
        Step(_BEGIN, "change_contract"),
        Step(_BEGIN, "put", ("c.csv", _A2), (("tell", False),)),
        Step(_BEGIN, "tick"),
        Step(_BEGIN + 0.5, "tick"),
    ),
    "merge: another delivery of the same keys, and a replay": _story(
        "merge", "keep", *_SCENERY, Step(_BEGIN, "put", ("c.csv", _A2)), Step(_BEGIN, "replay", (0,))
    ),
    "replace: a newer object": _story("replace", "keep", *_SCENERY, Step(_BEGIN, "put", ("c.csv", _A2))),
    "append, distributed: the first objects, one of them cut": _story(
        "append",
        "keep",
        Step(_BEGIN, "put", ("a.csv", _A2), (("hold", True),)),
        Step(_BEGIN, "put", ("b.csv", _A)),
        distributed=True,
    ),
    "append: compaction and expiry": _story(
        "append",
        "keep",
        _SCENERY[0],
        Step(50.0, "put", ("b.csv", _B)),
        Step(2000.0, "put", ("b.csv", _A)),
        Step(_OLD / 2, "maintain"),
        Step(_OLD - 5000, "maintain"),  # forgets snapshots and sees their files as orphans, which go at last
        Step(_OLD - 1000, "put", ("c.csv", _A2)),
        Step(_OLD, "maintain"),
    ),
}


@dataclass
class Found:
    """What the sweeps came to."""

    single: Counter[str] = field(default_factory=Counter)  # points by story
    pairs: int = 0
    unstruck: int = 0  # second faults for which no call came any more
    wrong: list[str] = field(default_factory=list)
    hit: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        by_story = "; ".join(f"{count} {story}" for story, count in self.single.items())
        return (
            f"{self.single.total()} single faults ({by_story}), {self.pairs} pairs on the publish path "
            f"({self.unstruck} with a second fault that met no call), {len(self.wrong)} wrong"
        )

    def to_json(self) -> dict[str, Any]:
        """One object for machines."""
        return {
            "single": dict(self.single),
            "pairs": self.pairs,
            "unstruck": self.unstruck,
            "wrong": self.wrong,
            "calls": sorted(self.hit),
        }


def sweep(*, processes: int | None = None, every: int = 1) -> Found:
    """Run both sweeps; `every` 5 takes one point of five, in turns."""
    found = Found()
    lives = dict(zip(STORIES, spread(_live, [*STORIES.values()], processes=processes), strict=True))
    singles = [(story, (fault,)) for story, life in lives.items() for fault in single_faults(story, life)]
    first = next(iter(STORIES))
    tries = singles + [(first, pair) for pair in pairs(first, lives[first])]
    tries = tries[::every]
    parts = [tries[start : start + _PART] for start in range(0, len(tries), _PART)]
    for part, verdicts in zip(parts, spread(_play_part, parts, processes=processes), strict=True):
        for (story, faults), verdict in zip(part, verdicts, strict=True):
            _note(found, story, faults, verdict)
    return found


def _note(found: Found, story: str, faults: tuple[Fault, ...], verdict: Verdict) -> None:
    if len(faults) == 1:
        found.single[story] += 1
        found.hit |= {call.name for call in verdict.hit}
        if not verdict.struck:
            found.wrong.append(f"{story}: {faults[0]}: met no call")
    else:
        found.pairs += 1
        found.unstruck += verdict.struck < len(faults)
    told = ", then ".join(map(str, faults))
    found.wrong += [f"{story}: {told} ({', '.join(map(str, verdict.hit))}): {said}" for said in verdict.wrong]


def _play_part(part: Sequence[tuple[str, tuple[Fault, ...]]]) -> list[Verdict]:
    """Play the same scenery once for each story in the part; each life goes on in a fork of it."""
    verdicts: list[Verdict] = []
    for story, tries in groupby(part, key=lambda item: item[0]):
        with Story(STORIES[story]) as scenery:
            scenery.until(_begin(story))
            gc.freeze()  # or each fork would copy the pages of whatever the collector touches
            verdicts += [_fork(scenery, faults) for _, faults in tries]
    return verdicts


def _fork(scenery: Story, faults: tuple[Fault, ...]) -> Verdict:
    """Go on with the story in a process that is a copy of this one. No simulated process lives at this moment."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            scenery.world.gate.faults = list(faults)
            scenery.until(float("inf"))
            told = pickle.dumps(scenery.judge())
        except BaseException as error:  # noqa: BLE001  (the parent tells)
            told = pickle.dumps(Verdict(0, [f"{type(error).__name__}: {error}"], 0, 0, 0, 0))
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(told)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    verdict: Verdict = pickle.loads(told)  # noqa: S301  (our own child wrote it)
    return verdict


def single_faults(story: str, life: Verdict) -> Iterator[Fault]:
    """Everything that can happen to one call of a life."""
    for at, call in swept(story, life):
        yield Fault(at, "lost", "before", mutating=False)
        if call.mutates:
            yield Fault(at, "kill", "before", mutating=False)
            yield Fault(at, "kill", "after", mutating=False)
            yield Fault(at, "lost", "after", mutating=False)
            yield Fault(at, "throttle", "before", mutating=False)


def pairs(story: str, life: Verdict) -> Iterator[tuple[Fault, Fault]]:
    """Two faults at calls by which publishing changes something; the second counts on through the repetitions."""
    published = [call for call in (call for _, call in life.points) if call.stage == "publish" and call.mutates]
    mine = [call for at, call in swept(story, life) if call.stage == "publish" and call.mutates]
    begin, count = len(published) - len(mine), len(mine)
    for first in range(begin, begin + count):
        for second in range(first + 1, first + count + 1):
            for one, other in (("kill", "kill"), ("kill", "lost"), ("lost", "kill"), ("lost", "lost")):
                yield (
                    Fault(first, one, "after", stage="publish"),  # type: ignore[arg-type]
                    Fault(second, other, "after", stage="publish"),  # type: ignore[arg-type]
                )


def _live(scenario: Scenario) -> Verdict:
    return play(scenario, keep_trace=True)


def swept(story: str, life: Verdict) -> Sequence[tuple[int, Call]]:
    """The calls of a life with their numbers, without those of its scenery and of the long end."""
    begin = _begin(story)
    return [(at, call) for at, (clock, call) in enumerate(life.points) if begin < clock < begin + _LASTS]


def _begin(story: str) -> float:
    return _OLD if any(step.what == "maintain" for step in STORIES[story].steps) else _BEGIN
