"""The state machine, walked: the definition that is deployed, read state by state. Knows no stage.

Understands what `stacks/machines/run.py` uses of the language, and refuses everything else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.gate import Process, Scheduler

Invoke = Callable[[str, Any], Any]  # function or job, payload: runs in a process of its own


class Failed(Exception):  # noqa: N818
    """A state failed: `error` is the name that Retry and Catch look for."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


@dataclass
class Execution:
    """One execution: `walk` runs in a process of its own and starts a process for each task."""

    definition: Mapping[str, Any]
    name: str
    machine: str
    invoke: Invoke
    scheduler: Scheduler
    rng: random.Random
    twins: float = 0.0  # how often a task is invoked twice
    walkers: list[Process] = field(default_factory=list)

    def end(self, walking: Process) -> None:
        """The execution's time is over: it goes no further. Processes that it has started go on."""
        for walker in (walking, *self.walkers):
            walker.dead, walker.wake_at = True, 0.0
        self.scheduler.wait(lambda: all(walker.done for walker in (walking, *self.walkers)), seconds=float("inf"))

    def walk(self, data: dict[str, Any]) -> str:
        """Walk from the start to an end; return SUCCEEDED or FAILED."""
        try:
            self._states(self.definition, data, {})
        except Failed:
            return "FAILED"
        return "SUCCEEDED"

    def _states(self, machine: Mapping[str, Any], data: Any, item: Mapping[str, Any]) -> Any:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            match state["Type"]:
                case "Task" | "Map" | "Pass":
                    name_next, data = self._work(name, state, data, item)
                case "Choice":
                    name_next = next((c["Next"] for c in state["Choices"] if _holds(c, data)), state["Default"])
                case "Succeed":
                    return data
                case "Fail":
                    raise Failed(state.get("Error", "Failed"), state.get("Cause", ""))
            if name_next is None:
                return data
            name = name_next

    def _work(self, name: str, state: Mapping[str, Any], data: Any, item: Mapping[str, Any]) -> tuple[str | None, Any]:
        attempts: dict[int, int] = {}
        while True:
            try:
                return state.get("Next"), self._once(name, state, data, item)
            except Failed as failure:
                at = next((at for at, r in enumerate(state.get("Retry", [])) if _names(r, failure.error)), None)
                if at is not None:
                    retry = state["Retry"][at]
                    done = attempts[at] = attempts.get(at, 0) + 1
                    if done <= retry["MaxAttempts"]:
                        wait = retry.get("IntervalSeconds", 1) * retry.get("BackoffRate", 2.0) ** (done - 1)
                        wait = min(wait, retry.get("MaxDelaySeconds", wait))
                        self.scheduler.sleep(wait * (self.rng.random() if "JitterStrategy" in retry else 1))
                        continue
                catch = next((c for c in state.get("Catch", []) if _names(c, failure.error)), None)
                if catch is None:
                    raise
                told = {"Error": failure.error, "Cause": failure.cause}
                return catch["Next"], _put(data, catch["ResultPath"], told)

    def _once(self, name: str, state: Mapping[str, Any], data: Any, item: Mapping[str, Any]) -> Any:
        match state["Type"]:
            case "Pass":
                return data
            case "Map":
                self._map(state, data)
                return data
        asked = _fill(state["Parameters"], data, item, self.machine)
        function = asked.get("FunctionName") or asked["JobName"]
        answer = self._task(f"{self.name}/{name}", function, asked.get("Payload", asked.get("Arguments")), state)
        answer = {"Payload": answer}
        if "ResultSelector" in state:
            answer = _fill(state["ResultSelector"], answer, item, self.machine)
        data = answer if "ResultPath" not in state else _put(data, state["ResultPath"], answer)
        return _get(data, state["OutputPath"]) if "OutputPath" in state else data

    def _task(self, name: str, function: str, payload: Any, state: Mapping[str, Any]) -> Any:
        process = self.scheduler.spawn(name, function, lambda: self.invoke(function, payload))
        if self.rng.random() < self.twins:
            self._twin(f"{name}/twin", function, payload, self.rng.choice((0.0, self.rng.uniform(0, 1), 700.0)))
        if not self.scheduler.wait(lambda: process.done, seconds=state["TimeoutSeconds"]):
            raise Failed("States.Timeout")  # nobody ends the process: it may come back from the dead
        if process.dead:
            raise Failed("Lambda.Unknown" if ":lambda:" in state["Resource"] else "States.TaskFailed")
        if process.error is not None:
            if not isinstance(process.error, Exception):
                raise process.error
            raise Failed(type(process.error).__name__, str(process.error)) from process.error
        return process.result

    def _twin(self, name: str, function: str, payload: Any, delay: float) -> None:
        def late() -> None:
            self.scheduler.sleep(delay)
            self.invoke(function, payload)

        self.scheduler.spawn(name, function, late)

    def _map(self, state: Mapping[str, Any], data: Any) -> None:
        items = [{"$$.Map.Item.Value": value} for value in _get(data, state["ItemsPath"])]
        inputs = [(_fill(state["ItemSelector"], data, item, self.machine), item) for item in items]
        running = [
            self.scheduler.spawn(
                f"{self.name}/map", "machine", lambda i=i: self._states(state["ItemProcessor"], i[0], i[1])
            )
            for i in inputs
        ]
        self.walkers += running
        self.scheduler.wait(lambda: all(process.done for process in running), seconds=float("inf"))
        for process in running:
            if process.error is not None:
                raise process.error


def _holds(choice: Mapping[str, Any], data: Any) -> bool:
    value = _get(data, choice["Variable"])
    tests = {
        "BooleanEquals": lambda wanted: value is wanted,
        "StringEquals": lambda wanted: value == wanted,
        "NumericGreaterThan": lambda wanted: value > wanted,
    }
    (test,) = set(choice) - {"Variable", "Next"}
    return tests[test](choice[test])


def _names(of: Mapping[str, Any], error: str) -> bool:
    return error in of["ErrorEquals"] or "States.ALL" in of["ErrorEquals"]


def _fill(template: Any, data: Any, item: Mapping[str, Any], machine: str) -> Any:
    if not isinstance(template, dict):
        return template
    filled = {}
    for name, value in template.items():
        if not name.endswith(".$"):
            filled[name] = _fill(value, data, item, machine)
        elif value == "$$.StateMachine.Id":
            filled[name[:-2]] = machine
        elif value.startswith("$$.Map.Item.Value"):
            filled[name[:-2]] = _get(item["$$.Map.Item.Value"], "$" + value.removeprefix("$$.Map.Item.Value"))
        elif value.startswith("States.Format('{}', "):
            filled[name[:-2]] = str(_get(data, value.removeprefix("States.Format('{}', ").removesuffix(")")))
        else:
            filled[name[:-2]] = _get(data, value)
    return filled


def _get(data: Any, path: str) -> Any:
    if not path.startswith("$") or path.startswith("$$"):
        raise NotImplementedError(path)
    for part in path.removeprefix("$").split("."):
        data = data[part] if part else data
    return data


def _put(data: Any, path: str | None, value: Any) -> Any:
    return data if path is None else {**data, path.removeprefix("$."): value}
