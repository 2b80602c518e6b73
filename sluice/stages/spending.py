"""What an invocation consumes, and where that is kept until somebody adds it up.

A step of a run leaves a small document in the run's folder, whether it succeeds or fails, and settle adds them up in
the run's record. What belongs to no run (ingest, reconcile, marts) is added to a sum a month in the ledger.
Not seen: an invocation that is killed for its time or memory, repetitions by the state machine, and what settle does
after it has written the record.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from sluice.lake.requests import requests_of_tables
from sluice.ledger.table import Ledger
from sluice.prices import Usage
from sluice.stages.run_folder import RunFolder

if TYPE_CHECKING:
    from boto3 import Session


_NOTHING = Usage()


class Calls:
    """Requests of all clients of a session, by `service.Operation`; a repetition by the SDK is one more."""

    def __init__(self, session: Session) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        session.events.register("before-send", self._count)

    def _count(self, *, event_name: str, **_: object) -> None:
        with self._lock:
            self._counts[event_name.removeprefix("before-send.")] += 1

    def so_far(self) -> Mapping[str, int]:
        """Counts since the process began."""
        with self._lock:
            return dict(self._counts + requests_of_tables())


class Meter:
    """Measures one invocation from its making. `memory_megabytes` is what the function has, used or not.

    `start_seconds` is what the process took to get here, where this is its first invocation: AWS charges that, too.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        memory_megabytes: int,
        start_seconds: float = 0.0,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls, self._memory, self._timer, self._start = calls, memory_megabytes, timer, start_seconds
        self._before, self._begun = calls.so_far(), timer()

    def usage(self) -> Usage:
        """What this invocation has consumed so far."""
        return Usage(
            calls={name: count - self._before.get(name, 0) for name, count in self._calls.so_far().items()
                   if count > self._before.get(name, 0)},
            requests=1,
            gb_seconds=(self._start + self._timer() - self._begun) * self._memory / 1024,
        )  # fmt: skip


@contextmanager
def spent_in_run(folder: RunFolder, meter: Meter, *, stage: str, attempt: str) -> Iterator[None]:
    """Leave what the block consumes in the run's folder, also if it fails. `attempt` tells repetitions apart."""
    try:
        yield
    finally:
        with suppress(ClientError, BotoCoreError):  # a lost bill must not fail the work
            folder.write_spent(f"{stage}-{attempt}", meter.usage())


@contextmanager
def spent_in_month(
    ledger: Ledger,
    meter: Meter,
    *,
    name: str,
    now: datetime,
    extra: Usage = _NOTHING,
    told: Callable[[Usage], None] = lambda _: None,
) -> Iterator[None]:
    """Add what the block consumes to the month's sum of `name`, a stage or a mart, also if the block fails.

    `extra` is what others did for the same purpose: state transitions, bytes that Athena read. `told` hears of the sum.
    """
    try:
        yield
    finally:
        usage = meter.usage() + extra
        told(usage)
        with suppress(ClientError, BotoCoreError):
            ledger.spend(name, month=now.strftime("%Y-%m"), usage=usage)
