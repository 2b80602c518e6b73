"""Replay: loads that are settled are opened again, and their dataset is woken. What then happens is an ordinary run.

A replay cannot do harm: the run asks the bucket what counts now, replaces the rows of the objects that it loads, and
passes over versions that count no longer. It helps where something outside has changed: a contract, a bug that was
repaired, an object that was parked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sluice.ledger.model import Lease, Load
from sluice.ledger.table import Ledger

_THREADS = 16


@dataclass(frozen=True, kw_only=True)
class LoadFilter:
    """Which loads: those that all given conditions hold for. Times are ISO 8601 and tell when a load was registered.

    `until` is exclusive, so that ranges can follow one another.
    """

    keys: Collection[str] = ()
    run_id: str | None = None
    since: str | None = None
    until: str | None = None
    state: str | None = None

    def holds(self, load: Load) -> bool:
        """Whether a load is among them."""
        return (
            (not self.keys or load.key in self.keys)
            and (self.run_id is None or load.run_id == self.run_id)
            and (self.since is None or load.registered >= self.since)
            and (self.until is None or load.registered < self.until)
            and (self.state is None or load.state == self.state)
        )


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What became of the selected loads."""

    reopened: int
    waiting: int  # they waited already
    run_id: str | None  # that has them, or comes after which


def select(loads: Iterable[Load], selection: LoadFilter) -> Sequence[Load]:
    """List the selected loads, the oldest first."""
    return sorted((load for load in loads if selection.holds(load)), key=lambda load: (load.registered, load.key))


def replay(dataset: str, loads: Sequence[Load], *, ledger: Ledger, wake: Callable[[str], Lease]) -> Replayed:
    """Open these loads again and wake their dataset. Repeating it after a failure opens the rest."""
    with ThreadPoolExecutor(_THREADS) as pool:
        reopened = sum(pool.map(ledger.reopen, loads))
    return Replayed(reopened=reopened, waiting=len(loads) - reopened, run_id=wake(dataset).run_id if loads else None)
