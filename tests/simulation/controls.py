"""Each guard taken away in turn: the simulation has to notice, or it shows nothing.

A guard is taken away by replacing the line of Sluice that is the guard, for the time of one seed. Nothing else replaces
parts of Sluice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from botocore.config import Config
from pyiceberg.catalog.glue import GlueCatalog

import sluice.lake.objects
import sluice.lake.publish
import sluice.ledger.table
import sluice.stages.claim
import sluice.stages.run_folder
import sluice.stages.settle
from sluice.lake.publish import Edit, Published
from tests.simulation import world


@contextlib.contextmanager
def without(guard: str) -> Iterator[None]:
    """Take one guard away; none with the empty name."""
    if not guard:
        yield
        return
    with contextlib.ExitStack() as stack:
        for patch in GUARDS[guard].take_away():
            stack.enter_context(patch)
        yield


@dataclass(frozen=True)
class Guard:
    """What protects, what happens without it, and how to take it away."""

    protects: str
    take_away: Callable[[], Sequence[contextlib.AbstractContextManager[Any]]]


def _publish_deciding(decide_of: Callable[[Any, Any], Callable[[Any], Edit | None]]) -> list[Any]:
    def publish(catalog: Any, identifier: Any, *, publisher: Any, plan: Any, sleep: Any) -> Published:
        return sluice.lake.publish.commit(catalog, identifier, decide=decide_of(publisher, plan), sleep=sleep)

    return [mock.patch("sluice.stages.publish.publish_table", publish)]


def _marked(edit: Edit, publisher: Any) -> Edit:
    mark = {sluice.lake.publish.FENCE: str(publisher.fence), sluice.lake.publish.RUN: publisher.run_id}
    return replace(edit, properties={**edit.properties, **mark}, summary={**edit.summary, **mark})


def _without_marker() -> list[Any]:
    def decide_of(publisher: Any, plan: Any) -> Callable[[Any], Edit | None]:
        def decide(table: Any) -> Edit:
            newest = int(table.properties.get(sluice.lake.publish.FENCE, 0))
            if newest > publisher.fence:
                raise sluice.lake.publish.StaleRunError(dataset=publisher.dataset, fence=publisher.fence, newest=newest)
            return _marked(plan(table), publisher)

        return decide

    return _publish_deciding(decide_of)


def _without_fence_order() -> list[Any]:
    def decide_of(publisher: Any, plan: Any) -> Callable[[Any], Edit | None]:
        def decide(table: Any) -> Edit | None:
            if int(table.properties.get(sluice.lake.publish.FENCE, 0)) == publisher.fence:
                return None
            return _marked(plan(table), publisher)

        return decide

    return _publish_deciding(decide_of)


def _without_settle_order() -> list[Any]:
    def reflect(self: Any, settlement: Any, fence: int) -> None:
        load = settlement.load
        self._store.update(
            sluice.ledger.table.items.object_key(load.dataset, load.key),
            "SET version_id = :version, object_order = :order, fence = :fence",
            "attribute_exists(pk)",
            {":version": load.version_id, ":order": settlement.order, ":fence": fence},
        )

    return [mock.patch.object(sluice.ledger.table.Ledger, "_reflect", reflect)]


def _without_first_wins() -> list[Any]:
    def put_json(s3: Any, *, bucket: str, key: str, value: Any) -> Any:
        body = sluice.lake.objects.json.dumps(value).encode()
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        return sluice.lake.objects.get_json(s3, bucket=bucket, key=key)

    return [mock.patch("sluice.stages.run_folder.put_json_once", put_json)]


def _without_batch_failures() -> list[Any]:
    ingest = world.ingest

    def all_is_well(*arguments: Any, **options: Any) -> Any:
        return replace(ingest(*arguments, **options), failed=())

    # The reconciler would mend it in a quarter of an hour: what is shown here is that the queue alone is enough.
    return [mock.patch.object(world, "ingest", all_is_well), *_without_reconciler()]


def _without_reconciler() -> list[Any]:
    return [mock.patch.object(world.World, "_reconcile", lambda self: self.reconciled.append(world.IDLE))]


def _with_retrying_glue() -> list[Any]:
    at = world.services()
    config = Config(retries={"total_max_attempts": 5, "mode": "standard"})
    catalog = GlueCatalog("sluice", client=at._session.client("glue", config=config))
    catalog.properties.update(at.catalog.properties)
    return [mock.patch.dict(at.__dict__, {"catalog": catalog})]


def _without_lease() -> list[Any]:
    def claim(folder: Any, *, run_id: str, ledger: Any, **others: Any) -> Any:
        held = replace(ledger.lease(folder.dataset), run_id=run_id, fence=folder.fence)

        class Trusting:
            def __getattr__(self, name: str) -> Any:
                return getattr(ledger, name)

            def lease(self, _: str) -> Any:
                return held

        return sluice.stages.claim.claim(folder, run_id=run_id, ledger=Trusting(), **others)  # type: ignore[arg-type]

    return [mock.patch.object(world, "claim", claim)]


def _look_before_release() -> list[Any]:
    settle = sluice.stages.settle.settle

    def hasty(folder: Any, *, ledger: Any, **others: Any) -> Any:
        class Hasty:
            def __getattr__(self, name: str) -> Any:
                return getattr(ledger, name)

            def release(self, dataset: str, *, run_id: str) -> bool:
                self.seen = ledger.pending(dataset)
                return bool(ledger.release(dataset, run_id=run_id))

            def pending(self, _: str) -> Any:
                return self.seen

        return settle(folder, ledger=Hasty(), **others)  # type: ignore[arg-type]

    return [mock.patch.object(world, "settle", hasty), *_without_reconciler()]


def _wake_before_write() -> list[Any]:
    ingest = world.ingest

    def hasty(messages: Any, *, wake: Any, **others: Any) -> Any:
        for dataset in others["datasets"]:
            wake(dataset)
        return ingest(messages, wake=lambda _: None, **others)

    return [mock.patch.object(world, "ingest", hasty), *_without_reconciler()]


def _fresh_by_belief() -> list[Any]:
    def counted(load: Any, attempts: int) -> Any:
        return replace(load, attempts=attempts, fresh=True)

    return [mock.patch.object(sluice.stages.claim, "_counted", counted)]


GUARDS: Mapping[str, Guard] = {
    "marker": Guard("publish finds its own fence in the table and stops", _without_marker),
    "fence order": Guard("publish finds a larger fence in the table and stops", _without_fence_order),
    "settle order": Guard("settle does not tell the ledger what an older run showed", _without_settle_order),
    "If-None-Match": Guard("a run's documents are written once", _without_first_wins),
    "partial batch response": Guard("ingest names the messages that failed", _without_batch_failures),
    "reconciler": Guard("the bucket is compared with the ledger", _without_reconciler),
    "single-attempt Glue client": Guard("a commit is sent once and its outcome is read", _with_retrying_glue),
    "lease check": Guard("claim stops when its lease is gone", _without_lease),
    "release before look": Guard("settle gives the lease back before it looks for loads", _look_before_release),
    "write before wake": Guard("ingest registers a load before it wakes the dataset", _wake_before_write),
    "freshness": Guard("rows of a key are replaced unless none can be there", _fresh_by_belief),
}
