"""Schedules of a cloud that stays: each rule fires at its rate from the start on, a cron rule once a day.

A test fires schedules itself (`LocalCloud.tick`) and starts no clock.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping

_LOG = logging.getLogger(__name__)
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
_A_DAY = 86_400
_LOOK_EVERY = 1.0


def period(expression: str) -> int:
    """Say after how many seconds a schedule fires again."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return int(found[1]) * _UNITS[found[2]] if found else _A_DAY


class Clock:
    """A thread that fires schedules.

    Args:
        schedules: Answers what is deployed now: expressions by the schedule's name.
        fire: Fires one, by name.
    """

    def __init__(self, schedules: Callable[[], Mapping[str, str]], fire: Callable[[str], object]) -> None:
        self._schedules, self._fire = schedules, fire
        self._last: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.look(time.monotonic())
        self._thread.start()

    def look(self, now: float) -> None:
        """Fire the schedules that are due at `now`, in seconds of any clock. A new schedule begins at `now`."""
        for name, expression in self._schedules().items():
            if now - self._last.setdefault(name, now) >= period(expression):
                self._last[name] = now
                self._fire(name)

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_EVERY):
            try:
                self.look(time.monotonic())
            except Exception:  # noqa: BLE001  (the next look may do better)
                _LOG.warning("a schedule could not fire", exc_info=True)
