"""A rebuild: one run that loads everything that counts, and puts it in the place of all that the tables hold, at once.

It is an ordinary run with a larger claim (docs/adr/0008): files are written beside the live ones, and the commit that
carries the fence takes all old files out and all new ones in. Until then the tables are what they were, objects that
arrive wait for the next run, and a run that dies is repeated as a rebuild, because the table's generation, a property
in that same commit, is still below the one that the ledger asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sluice.contract.plan import Plan
from sluice.lake.versions import KeyHistory, Version
from sluice.ledger.model import Lease, load_id
from sluice.ledger.table import Ledger
from sluice.stages.judge import weigh
from sluice.stages.manifest import ClaimedLoad, Group
from sluice.stages.reconcile import load_of

if TYPE_CHECKING:
    from sluice.lake.marks import TableState

_THREADS = 16


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A rebuild that is asked for: the generation that the tables will be of."""

    generation: int
    is_new: bool  # else it was asked for already
    run_id: str | None


def ask(dataset: str, state: TableState, *, ledger: Ledger, wake: Callable[[str], Lease]) -> Asked:
    """Ask for a rebuild of a dataset whose tables stand so, and wake it. Asking twice before it is done asks once."""
    generation = state.generation + 1
    is_new = ledger.ask_generation(dataset, generation)
    return Asked(generation=generation, is_new=is_new, run_id=wake(dataset).run_id)


def open_all(plan: Plan, histories: Collection[KeyHistory], *, ledger: Ledger, raw_bucket: str, now: datetime) -> None:
    """Let every version that counts wait for a run, but for those that were given up. Safe to repeat.

    What was refused under this very contract is not tried again; under another one it may be readable.
    """
    known = {load.load_id: load for load in ledger.loads(plan.dataset)}

    def open_one(identity: str) -> None:
        load = known.get(identity)
        if load is None:
            ledger.register(load_of(plan.dataset, versions[identity], identity, now))
        elif load.state not in {"PENDING", "PARKED"}:
            ledger.reopen(load)

    def is_refused(version: Version) -> bool:
        load = known.get(load_id(raw_bucket, version.key, version.version_id))
        return load is not None and (load.state, load.contract) == ("REFUSED", plan.version)

    counting = weigh(plan, histories, is_refused).shown
    versions = {load_id(raw_bucket, one.key, one.version_id): one for one in counting}
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(open_one, versions))


def pack_all(
    loads: Sequence[ClaimedLoad], pack: Callable[[Sequence[ClaimedLoad]], tuple[Group, ...]]
) -> tuple[Group, ...]:
    """Pack the loads of a rebuild, none left out: where they do not fit a run's groups, Spark takes them all."""
    groups = pack([replace(load, attempts=0) for load in loads])
    wanted = [load.load_id for load in loads if load.action == "put"]
    if len(wanted) > sum(len(group.loads) for group in groups):
        return (Group(index=0, engine="glue", loads=tuple(wanted)),)
    return groups
