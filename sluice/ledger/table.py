"""The ledger over one DynamoDB table. Every write is conditional and may be repeated.

A load exists once (`load#`), waits while it has a `pending#` entry, and is counted at its key (`object#`). The lease
(`lease`) hands out fences, one run (`run#`) each. What to load and when is decided by the stages, not here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from sluice.errors import TransientError
from sluice.ledger import items
from sluice.ledger.model import Lease, Load, MartOutcome, MartState, ObjectState, Run, Settlement
from sluice.ledger.store import MOST_WRITES, Store
from sluice.prices import Usage
from sluice.state import FORMATS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

_THREADS = 16
_RACES = 10  # how often somebody else may take the lease first before we call it an outage
_WAITING = 3  # writes that let a load wait, the first of them with the condition
_UNKNOWN = {"ConditionExpression": "attribute_not_exists(pk)"}
_STATE: dict[str, Any] = {"ExpressionAttributeNames": {"#state": "state"}}


class Ledger:
    """Loads, leases and runs of all datasets. `table` is a boto3 DynamoDB table resource."""

    def __init__(self, table: Table, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = Store(table, sleep=sleep)

    # ---- loads ----

    def register(self, load: Load) -> bool:
        """Remember a load and let it wait for a run. False (and no effect) if it is known already."""
        return bool(self.register_all([load]))

    def register_all(self, loads: Sequence[Load]) -> frozenset[str]:
        """Remember loads and let them wait for a run, many by one call. Return the ids of those that were not known."""
        new: set[str] = set()
        for part in _apart(loads):
            left: Sequence[Load] = part
            while left:
                failed = self._store.transact([write for load in left for write in self._waiting(load, _UNKNOWN)])
                if not failed:
                    new.update(load.load_id for load in left)
                    break
                left = [load for at, load in enumerate(left) if _WAITING * at not in failed]
        return frozenset(new)

    def reopen(self, load: Load) -> bool:
        """Let a settled load wait again, its attempts forgotten. False (and no effect) if it waits already.

        It counts as one more load of its key, because the table may hold rows of it.
        """
        settled = "attribute_exists(pk) AND #state <> :pending"
        values = {":pending": "PENDING"}
        again = replace(load, attempts=0, run_id=None, settled=None, reason=None)
        return self._wait(again, {"ConditionExpression": settled, "ExpressionAttributeValues": values, **_STATE})

    def pending(self, dataset: str, *, limit: int | None = None) -> Sequence[Load]:
        """Read the loads that wait for a run, read consistently: whatever was registered before this call is seen."""
        waiting = self._store.query(items.partition(dataset), "pending#", consistent=True)
        return [items.to_load(item) for item in islice(waiting, limit)]

    def attempt(self, loads: Sequence[Load], *, run_id: str) -> Sequence[Load]:
        """Count one attempt of `run_id` at each load, at most once a run. Loads that wait no longer are left out."""
        with ThreadPoolExecutor(_THREADS) as pool:
            marked = pool.map(lambda load: self._attempt(load, run_id), loads)
            return [load for load in marked if load is not None]

    def settle(self, settlements: Sequence[Settlement], *, fence: int) -> None:
        """Bring loads to their final state, where each still waits and was claimed last by its `run_id`.

        What the table reflects of their keys is written first: a crash in between leaves loads waiting, and the
        repetition finds them.
        """
        latest: dict[tuple[str, str], Settlement] = {}
        for settlement in sorted((s for s in settlements if s.order is not None), key=lambda s: s.order or ""):
            latest[settlement.load.dataset, settlement.load.key] = settlement
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda settlement: self._reflect(settlement, fence), latest.values()))
        for start in range(0, len(settlements), MOST_WRITES // 2):
            self._finish([settlement.load for settlement in settlements[start : start + MOST_WRITES // 2]])

    def find(self, dataset: str, load_id: str) -> Load | None:
        """One load, read consistently."""
        item = self._store.get({"pk": items.partition(dataset), "sk": f"load#{load_id}"})
        return items.to_load(item) if item else None

    def loads(self, dataset: str) -> Iterator[Load]:
        """Every load that the ledger knows of a dataset, in no particular order."""
        return (items.to_load(item) for item in self._store.query(items.partition(dataset), "load#"))

    def objects(self, dataset: str) -> Iterator[ObjectState]:
        """Every key that the ledger knows of a dataset."""
        return (items.to_object(item) for item in self._store.query(items.partition(dataset), "object#"))

    def object_states(self, dataset: str, keys: Iterable[str]) -> Mapping[str, ObjectState]:
        """Read what is known of these keys, consistently; unknown keys are absent."""
        found = self._store.get_many([items.object_key(dataset, key) for key in sorted(set(keys))])
        return {state.key: state for state in map(items.to_object, found)}

    # ---- leases ----

    def lease(self, dataset: str) -> Lease:
        """Read the lease as it is now, consistently."""
        return items.to_lease(dataset, self._store.get(items.lease_key(dataset)))

    def acquire(self, dataset: str, *, now: int, seconds: int) -> Lease:
        """Take the lease with the next fence if nobody holds it, else tell who does. `now` is in epoch seconds."""
        for _ in range(_RACES):
            lease = self.lease(dataset)
            if lease.run_id is not None and lease.until >= now:
                return lease
            fence = lease.fence + 1
            taken = replace(lease, fence=fence, run_id=f"{dataset}-{fence}", until=now + seconds)
            # The fence stands for the whole item: it changes with every acquisition.
            condition = "fence = :fence AND (attribute_not_exists(run_id) OR held_until < :now)"
            known = {":fence": lease.fence, ":now": now}
            if self._store.update(
                items.lease_key(dataset),
                "SET fence = :next, run_id = :run, held_until = :until, state_format = :format",
                condition if lease.fence else "attribute_not_exists(fence)",
                {":next": fence, ":run": taken.run_id, ":until": taken.until, ":format": FORMATS["ledger"]}
                | (known if lease.fence else {}),
            ):
                return taken
        raise TransientError(f"dataset {dataset}: the lease changed hands {_RACES} times while it was asked for")

    def release(self, dataset: str, *, run_id: str) -> bool:
        """Give the lease back. False (and no effect) if `run_id` does not hold it."""
        key = items.lease_key(dataset)
        return self._store.update(key, "REMOVE run_id", "run_id = :run", {":run": run_id}) is not None

    def has_forgotten(self, lease: Lease, *, shown: int) -> bool:
        """Tell whether there is no record of the run under the fence that the tables show, and nobody has noticed yet.

        A run is recorded before it publishes: without a record the ledger was restored from a backup.
        """
        return not lease.restored and shown > 0 and self.run(lease.dataset, shown) is None

    def distrust(self, lease: Lease, *, fence: int) -> bool:
        """Take back a lease that was given under a fence that had been used, and go on above `fence`.

        Called where the tables know of runs that this ledger has forgotten, as one restored from a backup has. False
        (and no effect) if the lease has changed hands since it was read.
        """
        return (
            self._store.update(
                items.lease_key(lease.dataset),
                "SET fence = :above, restored = :yes, held_until = :never REMOVE run_id",
                "fence = :fence" if lease.fence else "attribute_not_exists(fence)",
                {":above": max(fence, lease.fence), ":yes": True, ":never": 0}
                | ({":fence": lease.fence} if lease.fence else {}),
            )
            is not None
        )

    def ask_generation(self, dataset: str, generation: int) -> bool:
        """Ask for a rebuild. False (and no effect) if it was asked for already."""
        condition = "attribute_not_exists(generation) OR generation < :wanted"
        values = {":wanted": generation}
        return self._store.update(items.lease_key(dataset), "SET generation = :wanted", condition, values) is not None

    def give_up_generation(self, dataset: str, generation: int) -> bool:
        """Ask no longer for this rebuild. False (and no effect) if another one is asked for by now."""
        values = {":given": generation, ":before": generation - 1}
        update = self._store.update(items.lease_key(dataset), "SET generation = :before", "generation = :given", values)
        return update is not None

    # ---- runs ----

    def record(self, run: Run) -> bool:
        """Write a run's record. False (and no effect) if it has ended otherwise: a run that published stays so."""
        replaceable = ["RUNNING"] if run.state == "RUNNING" else ["RUNNING", "FAILED", run.state]
        values = {f":state{at}": state for at, state in enumerate(replaceable)}
        put = {
            "Item": {**items.run_key(run.dataset, run.fence), **items.from_record(run)},
            "ConditionExpression": f"attribute_not_exists(pk) OR #state IN ({', '.join(values)})",
            "ExpressionAttributeValues": values,
            **_STATE,
        }
        return not self._store.transact([{"Put": put}])

    def run(self, dataset: str, fence: int) -> Run | None:
        """One run, read consistently."""
        item = self._store.get(items.run_key(dataset, fence))
        return items.to_run(item) if item else None

    def runs(self, dataset: str) -> Iterator[Run]:
        """All runs of a dataset, newest first."""
        found = self._store.query(items.partition(dataset), "run#", newest_first=True)
        return (items.to_run(item) for item in found)

    # ---- parts of the above ----

    def _wait(self, load: Load, condition: Mapping[str, Any]) -> bool:
        return not self._store.transact(self._waiting(load, condition))

    def _waiting(self, load: Load, condition: Mapping[str, Any]) -> Sequence[Any]:
        waiting = items.from_record(replace(load, state="PENDING"))
        count = {
            "Key": items.object_key(load.dataset, load.key),
            "UpdateExpression": "SET #key = :key ADD loads :one",
            "ExpressionAttributeNames": {"#key": "key"},
            "ExpressionAttributeValues": {":key": load.key, ":one": 1},
        }
        return [
            {"Put": {"Item": {**items.load_key(load), **waiting}, **condition}},
            {"Put": {"Item": {**items.pending_key(load), **waiting}}},
            {"Update": count},
        ]

    def _attempt(self, load: Load, run_id: str) -> Load | None:
        item = self._store.update(
            items.pending_key(load),
            "SET attempts = attempts + :one, run_id = :run",
            "attribute_exists(pk) AND (attribute_not_exists(run_id) OR run_id <> :run)",
            {":one": 1, ":run": run_id},
        ) or self._store.get(items.pending_key(load))
        return items.to_load(item) if item and item.get("run_id") == run_id else None

    def _reflect(self, settlement: Settlement, fence: int) -> None:
        load = settlement.load
        self._store.update(
            items.object_key(load.dataset, load.key),
            "SET version_id = :version, object_order = :order, fence = :fence",
            "attribute_exists(pk) AND (attribute_not_exists(fence) OR fence <= :fence)",
            {":version": load.version_id, ":order": settlement.order, ":fence": fence},
        )

    def _finish(self, loads: Sequence[Load]) -> None:
        while loads:
            failed = self._store.transact([write for load in loads for write in self._ending(load)])
            if not failed:
                return
            # Two writes a load; a load whose condition failed is settled already or belongs to another run now.
            loads = [load for at, load in enumerate(loads) if not failed & {2 * at, 2 * at + 1}]

    def _ending(self, load: Load) -> Sequence[Any]:
        still_pending = {
            "ConditionExpression": "#state = :pending",
            "ExpressionAttributeValues": {":pending": "PENDING"},
        }
        still_ours = {"ConditionExpression": "run_id = :run", "ExpressionAttributeValues": {":run": load.run_id}}
        return [
            {"Put": {"Item": {**items.load_key(load), **items.from_record(load)}, **still_pending, **_STATE}},
            {"Delete": {"Key": items.pending_key(load), **still_ours}},
        ]

    # ---- what belongs to no run ----

    def note_mart(
        self, mart: str, outcome: MartOutcome, *, reason: str = "", seen: tuple[str, int] | None = None, now: str
    ) -> None:
        """Remember what became of a mart's refresh; `seen` is the dataset and fence whose publication asked for it."""
        changes = {"outcome": outcome, "told": now, "reason": reason}
        if outcome == "FRESH":
            changes["fresh"] = now
        values: dict[str, Any] = {f":{name}": value for name, value in changes.items()}
        sets = [f"{name} = :{name}" for name in changes]
        if outcome == "FAILED":
            sets.append("failing = if_not_exists(failing, :told)")
        if seen is not None:
            sets.append(f"{items.SEEN}{seen[0]} = :seen")
            values[":seen"] = seen[1]
        expression = f"SET {', '.join(sets)}" + ("" if outcome == "FAILED" else " REMOVE failing")
        self._store.set(items.mart_key(mart), expression, values)

    def mart(self, mart: str) -> MartState | None:
        """Read what became of a mart's last refresh; None where none was tried."""
        item = self._store.get(items.mart_key(mart))
        return items.to_mart(mart, item) if item else None

    def spend(self, name: str, *, month: str, usage: Usage) -> None:
        """Add to what `name`, a stage or a mart, has consumed in a month (YYYY-MM). Repeating it adds again."""
        self._store.add(items.spending_key(name, month), items.from_spending(usage))

    def spending(self, name: str, month: str) -> Usage:
        """Read what `name` has consumed in a month."""
        return items.to_spending(self._store.get(items.spending_key(name, month)) or {})


def _apart(loads: Sequence[Load]) -> Sequence[Sequence[Load]]:
    """Split loads into transactions: each load once, and no two of one key together, which DynamoDB refuses."""
    parts: list[dict[str, Load]] = []
    for load in {load.load_id: load for load in loads}.values():
        for part in parts:
            if load.key not in part and len(part) < MOST_WRITES // _WAITING:
                part[load.key] = load
                break
        else:
            parts.append({load.key: load})
    return [list(part.values()) for part in parts]
