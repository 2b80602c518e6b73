"""The one gate that every call of a simulated process crosses: turns are taken here, faults are played here.

Knows nothing of AWS (`aws.py` brings the calls) and nothing of what is simulated (`world.py`).
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

When = Literal["before", "after"]
# lost: no answer, after a time. error: the service says 500. throttle: it says "slow down". kill: the process ends
# there. hang, coma: the process stands still until its task, or its run and its lease, have been given up; then it goes
# on.
Kind = Literal["lost", "error", "throttle", "kill", "hang", "coma"]
_STILL = {"hang": 4_000.0, "coma": 40_000.0}  # seconds

MUTATING = (
    "Put", "Update", "Create", "Delete", "TransactWrite", "StartExecution", "file.create", "file.delete",
)  # fmt: skip


class Crash(BaseException):
    """The process is dead: nothing of it may run any more."""


@dataclass(frozen=True)
class Call:
    """One call as it crosses the gate. `place` is what it touches, without what differs from run to run."""

    stage: str
    service: str
    operation: str
    place: str = ""

    @property
    def mutates(self) -> bool:
        """Whether it can change anything."""
        return self.operation.startswith(MUTATING)

    @property
    def name(self) -> str:
        """Who calls what: the entry in the inventory of calls."""
        return f"{self.stage}: {self.service}.{self.operation}"

    def __str__(self) -> str:
        return f"{self.name} {self.place}".rstrip()


@dataclass(frozen=True)
class Fault:
    """What happens to the nth call (from 0) that matches: any, or only those that mutate, or those of one stage."""

    at: int
    kind: Kind
    when: When = "before"
    mutating: bool = True
    stage: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.when} {'mutating ' if self.mutating else ''}call {self.at} {self.stage}".rstrip()


class Lost(Exception):  # noqa: N818  (transports turn it into their own errors)
    """No answer came."""


class Refused(Exception):  # noqa: N818
    """The service answered with an error: `kind` is error or throttle."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(eq=False)
class Process:
    """An invocation of a stage, or an actor of the world. Its thread runs when it has the baton."""

    name: str
    stage: str
    work: Callable[[], Any]
    dead: bool = False
    done: bool = False
    wake_at: float = 0.0
    until: Callable[[], bool] | None = None
    result: Any = None
    error: BaseException | None = None
    baton: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


_HERE = threading.local()


def current() -> Process | None:
    """The simulated process whose code is running; None where the simulation itself looks."""
    return getattr(_HERE, "process", None)


@contextlib.contextmanager
def acting(process: Process) -> Iterator[None]:
    """Run a thread of something else as a simulated process, which waits for it meanwhile."""
    _HERE.process = process
    try:
        yield
    finally:
        _HERE.process = None


class Scheduler:
    """Processes take turns, one at a time, in an order that the seed decides."""

    def __init__(self, rng: random.Random, *, stickiness: float = 0.8) -> None:
        self.clock = 0.0
        self._rng, self._stickiness = rng, stickiness
        self._processes: list[Process] = []
        self.errors: list[tuple[str, BaseException]] = []  # that ended processes
        self._main = threading.Semaphore(0)
        self._closed = False
        self._until = 0.0

    def spawn(self, name: str, stage: str, work: Callable[[], Any]) -> Process:
        """Begin a process; it runs when it is its turn."""
        process = Process(name=name, stage=stage, work=work)
        self._processes.append(process)
        threading.Thread(target=self._live, args=(process,), name=name, daemon=True).start()
        return process

    def run(self, *, until: float) -> None:
        """Let processes run until the clock says `until`; they stand where they are then."""
        self._until = until
        while self.clock < until:
            chosen = self._choose(None)
            if chosen is None:
                soonest = min((p.wake_at for p in self._processes if p.wake_at > self.clock), default=until)
                self.clock = min(soonest, until)
                continue
            chosen.baton.release()
            self._main.acquire()

    @property
    def busy(self) -> bool:
        """Whether any process lives."""
        return bool(self._processes)

    def close(self) -> None:
        """End every process that still stands: its next step is its death."""
        self._closed = True
        for process in list(self._processes):
            process.dead = True
            process.baton.release()
            self._main.acquire()

    def turn(self) -> None:
        """Let others run, if it is their turn."""
        me = current()
        assert me is not None
        self._alive(me)
        self.clock += 0.01
        chosen = self._choose(me)
        if chosen is not me:
            (self._main if chosen is None else chosen.baton).release()
            me.baton.acquire()
            self._alive(me)

    def sleep(self, seconds: float) -> None:
        """Stand still for some time of the world's clock."""
        if (me := current()) is not None:
            me.wake_at = self.clock + seconds
            self._hand_over(me)

    def wait(self, until: Callable[[], bool], *, seconds: float) -> bool:
        """Stand still until something holds, at most so long; tell whether it holds."""
        me = current()
        assert me is not None
        me.wake_at, me.until = self.clock + seconds, until
        self._hand_over(me)
        me.until = None
        return until()

    def _hand_over(self, me: Process) -> None:
        chosen = self._choose(None)
        if chosen is not me:
            (self._main if chosen is None else chosen.baton).release()
            me.baton.acquire()
        self._alive(me)

    @staticmethod
    def _alive(me: Process) -> None:
        if me.dead:
            raise Crash

    def _live(self, me: Process) -> None:
        me.baton.acquire()
        _HERE.process = me
        try:
            self._alive(me)
            me.result = me.work()
        except Crash:
            me.dead = True
        except BaseException as error:  # noqa: BLE001  (whoever waits for the process judges it)
            me.error = error
            self.errors.append((me.name, error))
        me.done = True
        self._processes.remove(me)
        chosen = None if self._closed else self._choose(None)
        (self._main if chosen is None else chosen.baton).release()

    def _choose(self, me: Process | None) -> Process | None:
        if self.clock >= self._until:
            return None
        ready = [p for p in self._processes if p.wake_at <= self.clock or (p.until is not None and p.until())]
        if not ready or (me in ready and (len(ready) == 1 or self._rng.random() < self._stickiness)):
            return me if ready else None
        return self._rng.choice(ready)


class Gate:
    """Every call of every process goes through `cross`."""

    def __init__(self, scheduler: Scheduler, faults: tuple[Fault, ...] = ()) -> None:
        self.scheduler = scheduler
        self.faults = list(faults)
        self.calls: list[Call] = []
        self.struck: list[tuple[Fault, Call]] = []
        self.trace: list[str] = []
        self.clocks: list[float] = []
        self.observers: list[Callable[[Call], None]] = []
        self._counts: Counter[tuple[bool, str]] = (
            Counter()
        )  # calls so far: whether only those that mutate, of which stage

    def cross(self, service: str, operation: str, place: str, effect: Callable[[], Any]) -> Any:
        """Let a call take effect, or play the fault that is due."""
        me = current()
        if me is None:
            return effect()
        self.scheduler.turn()
        call = Call(me.stage, service, operation, place)
        fault = self._due(call)
        self.trace.append(f"{self.scheduler.clock:9.2f} {me.name:<22} {service}.{operation} {place}")
        if fault is None:
            return self._effect(call, effect)
        self.trace[-1] += f"   << {fault}"
        self.struck.append((fault, call))
        if fault.when == "after":
            self._effect(call, effect)
        return self._play(fault, me, call, effect)

    def _effect(self, call: Call, effect: Callable[[], Any]) -> Any:
        answer = effect()
        if call.mutates:
            process, _HERE.process = _HERE.process, None
            try:
                for observe in self.observers:
                    observe(call)
            finally:
                _HERE.process = process
        return answer

    def _play(self, fault: Fault, me: Process, call: Call, effect: Callable[[], Any]) -> Any:
        match fault.kind:
            case "kill":
                me.dead = True
                raise Crash
            case "hang" | "coma":
                self.scheduler.sleep(_STILL[fault.kind])
                if fault.when == "before":
                    return self._effect(call, effect)
                raise Lost
            case "lost":
                self.scheduler.sleep(1.0)
                raise Lost
            case kind:
                raise Refused(kind)

    def _due(self, call: Call) -> Fault | None:
        kinds = {(False, ""), (False, call.stage)} | ({(True, ""), (True, call.stage)} if call.mutates else set())
        due = next(
            (f for f in self.faults if (f.mutating, f.stage) in kinds and self._counts[f.mutating, f.stage] == f.at),
            None,
        )
        self._counts.update(kinds)
        self.calls.append(call)
        self.clocks.append(self.scheduler.clock)
        if due is not None:
            self.faults.remove(due)
        return due
