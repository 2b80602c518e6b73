"""From a seed to a story and to a verdict: what happens when, which calls fail, whether the tables came out right."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from sluice.errors import StaleRunError, TransientError
from tests.simulation.aws import MEMORY
from tests.simulation.gate import Call, Fault
from tests.simulation.invariants import Watch, at_rest
from tests.simulation.world import DATASET, World

_DAYS = ("2024-01-10", "2024-02-20")
_NAMES = ("a.csv", "b.csv", "c.csv", "sub/d.csv")
_STAGES = ("ingest", "claim", "transform", "publish", "publish", "settle")
_TICK = 3600.0  # between two visits of the reconciler
_AGE = 50_000.0  # seconds after which nothing is young any more
_BY_ARRIVAL = 0.5  # of the merges: in these the order of the objects decides
_MENDED = 0.3  # of the stories: in these people repair rejected records
_MARKED = 0.15  # of the stories: in these there are keys that are no data
_RESTORED = 0.1  # of the stories: in these the ledger is restored from a backup
_PATIENCE = 30  # visits until a world must be at rest


@dataclass(frozen=True)
class Step:
    """Something that people, or time, do to the world at a second of its clock."""

    at: float
    what: str
    arguments: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        options = [f"{name}={value}" for name, value in self.options]
        return f"{self.at:9.2f} {self.what}({', '.join([*map(repr, self.arguments), *options])})"


@dataclass(frozen=True)
class Scenario:
    """A world's story. The seed still decides who runs when."""

    seed: int
    mode: str
    on_delete: str
    distributed: bool
    stickiness: float
    twins: float
    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        engine = "distributed" if self.distributed else "lambda"
        chance = f"stickiness {self.stickiness}, twins {self.twins}"
        head = f"seed {self.seed}: {self.mode}, on_delete {self.on_delete}, {engine}, {chance}"
        return "\n".join([head, *map(str, self.steps), *(f"  fault: {fault}" for fault in self.faults)])


@dataclass
class Verdict:
    """What came of a scenario."""

    seed: int
    wrong: list[str]
    rows: int  # in the tables of the model
    calls: int
    struck: int
    commits: int
    trace: list[str] = field(default_factory=list, repr=False)
    inventory: set[str] = field(default_factory=set, repr=False)
    points: list[tuple[float, Call]] = field(default_factory=list, repr=False)  # calls with their times
    hit: list[Call] = field(default_factory=list, repr=False)


def write(seed: int) -> Scenario:
    """Invent a story."""
    rng = random.Random(seed)
    mode = rng.choice(("append", "append", "merge", "replace"))
    on_delete = rng.choice(("keep", "retract")) if mode == "append" else "keep"
    steps: list[Step] = []
    clock = 0.0
    for _ in range(rng.randint(3, 8)):
        steps.append(_step(rng, clock, mode))
        clock += rng.choice((0.0, 0.3, 1.0, 2.0, 5.0, 60.0, 700.0))
    if not any(step.what == "put" for step in steps):
        steps.append(Step(clock, "put", (rng.choice(_NAMES), _body(rng, 0))))
    faults: list[Fault] = []
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4, 6))):
        mutating = rng.random() < 0.7
        at = rng.randrange(40 if mutating else 160) if rng.random() < 0.7 else rng.randrange(300)
        kind = rng.choices(("lost", "error", "throttle", "kill", "hang", "coma"), (4, 1, 1, 4, 2, 2))[0]
        when = rng.choice(("before", "after")) if kind in {"lost", "kill", "hang", "coma"} else "before"
        stage = ""
        if rng.random() < 0.4:
            stage, at = rng.choice(_STAGES), rng.randrange(8 if mutating else 25)
        faults.append(Fault(at, kind, when, mutating, stage))  # type: ignore[arg-type]
    steps = _with_markers(random.Random(f"markers {seed}"), steps)
    mode, steps = _with_mends(random.Random(f"mends {seed}"), mode, steps)
    if rng.random() < _RESTORED:
        steps = _with_restore(rng, steps)
    return Scenario(
        seed=seed,
        mode=mode,
        on_delete=on_delete,
        distributed=rng.random() < 0.25,
        stickiness=rng.choice((0.0, 0.5, 0.8, 0.95)),
        twins=rng.choice((0.0, 0.0, 0.3)),
        steps=tuple(steps),
        faults=tuple(faults),
    )


def play(scenario: Scenario, *, keep_trace: bool = False) -> Verdict:
    """Let the story happen and judge its end."""
    with Story(scenario) as story:
        story.until(float("inf"))
        return story.judge(keep_trace=keep_trace)


class Story:
    """A scenario under way."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario, self.steps = scenario, list(scenario.steps)
        self.world = World(
            seed=scenario.seed,
            mode=scenario.mode,
            on_delete=scenario.on_delete,
            faults=scenario.faults,
            distributed=scenario.distributed,
            stickiness=scenario.stickiness,
            twins=scenario.twins,
        )
        self.watch = Watch(self.world)
        self.world.gate.observers.append(self.watch)
        self._scratch = tempfile.TemporaryDirectory(dir=MEMORY)

    def __enter__(self) -> Self:
        self._before, tempfile.tempdir = tempfile.tempdir, self._scratch.name
        return self

    def __exit__(self, *_: object) -> None:
        self.world.scheduler.close()
        tempfile.tempdir = self._before
        self._scratch.cleanup()

    def until(self, clock: float) -> None:
        """Go on with the steps before a time of the world's clock."""
        while self.steps and self.steps[0].at < clock:
            step = self.steps.pop(0)
            self.world.scheduler.run(until=step.at)
            getattr(self.world, step.what)(*step.arguments, **dict(step.options))
        self.world.flush()
        if clock < float("inf"):
            self.world.scheduler.run(until=clock)

    def judge(self, *, keep_trace: bool = False) -> Verdict:
        """Let everything come to rest and compare it with the model."""
        world, rows = self.world, 0
        settled = settle_down(world)
        if any(step.what == "maintain" for step in self.scenario.steps):
            _grow_old(world)
        wrong = [*settled, *self.watch.wrong]
        wrong += [f"{name} ended with {error!r}" for name, error in world.scheduler.errors if not _is_lawful(error)]
        if not wrong:
            found, rows = at_rest(world)
            wrong += found
        gate = world.gate
        return Verdict(
            seed=self.scenario.seed,
            wrong=wrong,
            rows=rows,
            calls=len(gate.calls),
            struck=len(gate.struck),
            commits=self.watch.commits,
            trace=gate.trace if keep_trace or wrong else [],
            inventory={call.name for call in gate.calls},
            points=list(zip(gate.clocks, gate.calls, strict=True)) if keep_trace else [],
            hit=[call for _, call in gate.struck],
        )


def settle_down(world: World) -> list[str]:
    """Let time pass and the reconciler visit, until nothing changes any more; what failed so far fails no more."""
    world.scheduler.run(until=world.scheduler.clock + _TICK)
    quiet = False
    for _ in range(_PATIENCE):
        if quiet and not world.scheduler.busy:
            return []
        if quiet or not world.scheduler.busy:
            world.gate.faults.clear()
        seen = len(world.reconciled)
        world.tick()
        world.scheduler.run(until=world.scheduler.clock + _TICK)
        news = world.reconciled[seen:]
        quiet = bool(news) and all(map(_found_nothing, news)) and world.ledger.lease(DATASET).run_id is None
    return [f"not at rest after {_PATIENCE} visits of the reconciler: {world.reconciled[-1:]}"]


def _is_lawful(error: BaseException) -> bool:
    """Whether a step may end so: outages, and what Sluice raises on purpose for them."""
    return isinstance(error, TransientError | StaleRunError | ClientError | BotoCoreError | OSError)


def _grow_old(world: World) -> None:
    """Let everything become old enough to be expired and removed, and maintain twice: orphans are seen, then go."""
    for _ in range(2):
        world.scheduler.run(until=world.scheduler.clock + _AGE)
        world.maintain()
    world.scheduler.run(until=world.scheduler.clock + _TICK)


def _found_nothing(visit: Any) -> bool:
    found = ("registered", "reopened", "gone", "waiting", "broken_lease", "forgotten_fence")
    return not any(getattr(visit, name) for name in found)


def shrink(scenario: Scenario) -> Scenario:
    """Leave out steps and faults as long as the story still ends wrong."""
    changed = True
    while changed:
        changed = False
        for name in ("faults", "steps"):
            parts: Sequence[Any] = getattr(scenario, name)
            for at in range(len(parts)):
                smaller = replace(scenario, **{name: (*parts[:at], *parts[at + 1 :])})
                if play(smaller).wrong:
                    scenario, changed = smaller, True
                    break
    return scenario


def _step(rng: random.Random, clock: float, mode: str) -> Step:
    kinds = {
        "put": 10,
        "delete": 2,
        "repeat": 1,
        "by_hand": 1,
        "replay": 1,
        "change_contract": 1,
        "tick": 1,
        "maintain": 1,
    }
    if mode != "merge":
        kinds["erase"] = 2
    what = rng.choices(list(kinds), list(kinds.values()))[0]
    name = rng.choice(_NAMES)
    options: list[tuple[str, Any]] = []
    if what in {"put", "delete"}:
        if rng.random() < 0.1:
            options.append(("tell", False))
        elif rng.random() < 0.3:
            options.append(("hold", True))
        elif rng.random() < 0.2:
            options.append(("delay", rng.choice((3.0, 90.0, 5000.0))))
    arguments: dict[str, tuple[Any, ...]] = {
        "put": (name, _body(rng, rng.choice((0, 1, 1, 1, 1)))),
        "delete": (name,),
        "erase": (name, rng.choice((-1, -1, 0))),
        "repeat": (rng.randrange(5),),
        "by_hand": (rng.choice((0, 0, 1)),),
        "replay": (rng.randrange(8),),
    }
    return Step(clock, what, arguments.get(what, ()), tuple(options))


def _with_mends(rng: random.Random, mode: str, steps: list[Step]) -> tuple[str, list[Step]]:
    """Let half of the merges have no column that says what is latest, and people repair what was rejected."""
    if mode == "merge" and rng.random() < _BY_ARRIVAL:
        mode = "arrival"
    if rng.random() > _MENDED:
        return mode, steps
    more = [
        Step(rng.choice(steps).at + rng.choice((0.2, 30.0, 900.0)), "mend", (rng.randrange(8),))
        for _ in range(rng.randint(1, 3))
    ]
    return mode, sorted([*steps, *more], key=lambda step: step.at)


def _with_markers(rng: random.Random, steps: list[Step]) -> list[Step]:
    """Let some stories have what jobs leave beside data, and files that are copied out of hidden folders."""
    if rng.random() > _MARKED:
        return steps
    more = []
    for _ in range(rng.randint(1, 3)):
        at = rng.choice(steps).at + rng.choice((0.0, 0.2, 30.0))
        name = rng.choice(("_SUCCESS", "_temporary/0/a.csv", ".b.csv.crc", "sub/.hidden.csv"))
        what = rng.choice(("put", "put", "put", "delete"))
        more.append(Step(at, what, (name, _body(rng, rng.choice((0, 1)))) if what == "put" else (name,)))
    return sorted([*steps, *more], key=lambda step: step.at)


def _with_restore(rng: random.Random, steps: list[Step]) -> list[Step]:
    """Restore the ledger, at some time, from a backup that was made at some time before.

    Nothing is deleted for good in these stories: of such an object, if it was loaded after the backup, nobody knows.
    """
    back_up = rng.choice(steps).at + rng.choice((0.0, 0.4, 100.0))
    restore = max(rng.choice(steps).at, back_up) + rng.choice((0.5, 5.0, 800.0, 20_000.0))
    after = Step(restore + rng.choice((0.1, 50.0, 50_000.0)), "put", (rng.choice(_NAMES), _body(rng, 1)))
    steps = [step for step in steps if step.what != "erase"]
    return sorted([*steps, Step(back_up, "back_up"), Step(restore, "restore"), after], key=lambda step: step.at)


def _body(rng: random.Random, kind: int) -> bytes:
    if kind == 0:
        return rng.choice((b"", b"id,day,amount\n", b"id,day\n1,2024-01-01\n", b"\xff\xfe\x00\n", b"no header here\n"))
    if rng.random() < 0.15:
        return b"id,day,amount\n1,2024-01-10,1\n2,2024-02-20,2\n"  # the same bytes under more than one key
    note = rng.random() < 0.2
    lines = ["id,day,amount" + (",note" if note else "")]
    for _ in range(rng.randint(1, 4)):
        cells = [str(rng.randint(1, 8)), rng.choice(_DAYS), str(rng.randint(0, 9))]
        if rng.random() < 0.25:
            cells[rng.randrange(3)] = rng.choice(("x", "", "2024-02-30"))
        if note:
            cells.append(rng.choice(("n", "")))
        if rng.random() < 0.05:
            cells.pop()
        lines.append(",".join(cells))
    return ("\n".join(lines) + "\n").encode()
