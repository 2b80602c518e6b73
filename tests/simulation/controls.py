"""Each guard taken away in turn: the simulation has to notice, or it shows nothing.

A guard is taken away by replacing the line of Sluice that is the guard, for the time of one story; parts of Sluice are
replaced nowhere else. Each guard has a story that needs it; how many random seeds it takes is measured by `table.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from botocore.config import Config
from pyiceberg.catalog.glue import GlueCatalog

import sluice.lake.edits
import sluice.lake.marks
import sluice.lake.objects
import sluice.lake.publish
import sluice.ledger.items
import sluice.stages.claim
import sluice.stages.settle
from sluice.lake.publish import Edit, Published
from tests.simulation import world
from tests.simulation.gate import Fault
from tests.simulation.scenario import Scenario, Step


@contextlib.contextmanager
def without(guard: str, *, only_context: bool = False) -> Iterator[None]:
    """Take one guard away; none with the empty name. `only_context` takes away what would repair it, and not it."""
    with contextlib.ExitStack() as stack:
        if guard:
            for patch in GUARDS[guard].patches(only_context=only_context):
                stack.enter_context(patch)
        yield


Patches = Sequence[contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class Guard:
    """What protects, how to take it away, and the story that ends wrong without it.

    `alone`: the reconciler is away in both, because it would repair in a quarter of an hour what the guard prevents.
    """

    protects: str
    told: str  # the story in words
    story: Scenario
    take_away: Callable[[], Patches]
    alone: bool = False

    def patches(self, *, only_context: bool) -> Patches:
        """Return what is to be replaced."""
        context = _without_reconciler() if self.alone else []
        return context if only_context else [*context, *self.take_away()]


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


def _without_first_wins() -> list[Any]:
    def put_json(s3: Any, *, bucket: str, key: str, value: Any) -> Any:
        body = sluice.lake.objects.json.dumps(value).encode()
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        return sluice.lake.objects.get_json(s3, bucket=bucket, key=key)

    return [mock.patch("sluice.stages.run_folder.put_json_once", put_json)]


def _without_settle_order() -> list[Any]:
    def reflect(self: Any, settlement: Any, fence: int) -> None:
        load = settlement.load
        self._store.update(
            sluice.ledger.items.object_key(load.dataset, load.key),
            "SET version_id = :version, object_order = :order, fence = :fence",
            "attribute_exists(pk)",
            {":version": load.version_id, ":order": settlement.order, ":fence": fence},
        )

    return [mock.patch("sluice.ledger.table.Ledger._reflect", reflect)]


def _without_replace_order() -> list[Any]:
    replace_rows = sluice.lake.edits.replace

    def last_wins(table: Any, *, gone: str = "", **others: Any) -> Edit:  # noqa: ARG001
        return replace_rows(table, gone=table.properties.get(sluice.lake.marks.ORDER, ""), **others)

    return [mock.patch("sluice.lake.edits.replace", last_wins)]


def _without_places() -> list[Any]:
    def by_arrival(key: str, *, stamp: str, ordinal: int) -> str:
        return f"{stamp}/{key}/{ordinal:06d}"

    return [mock.patch("sluice.lake.versions.order_of", by_arrival)]


def _without_batch_failures() -> list[Any]:
    ingest = world.ingest

    def all_is_well(*arguments: Any, **options: Any) -> Any:
        return replace(ingest(*arguments, **options), failed=())

    return [mock.patch.object(world, "ingest", all_is_well)]


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

    return [mock.patch.object(world, "settle", hasty)]


def _wake_before_write() -> list[Any]:
    ingest = world.ingest

    def hasty(messages: Any, *, wake: Any, **others: Any) -> Any:
        for dataset in others["datasets"]:
            wake(dataset)
        return ingest(messages, wake=lambda _: None, **others)

    return [mock.patch.object(world, "ingest", hasty)]


def _fresh_by_belief() -> list[Any]:
    def counted(load: Any, attempts: int) -> Any:
        return replace(load, attempts=attempts, fresh=True)

    return [mock.patch.object(sluice.stages.claim, "_counted", counted)]


def _story(*steps: Step, faults: Sequence[Fault] = (), mode: str = "append", **chance: Any) -> Scenario:
    settings = {"seed": 1, "stickiness": 0.95, "twins": 0.0, **chance}
    return Scenario(
        mode=mode, on_delete="keep", distributed=False, steps=steps, faults=tuple(faults), **settings
    )  # fmt: skip


_A = b"id,day,amount\n1,2024-01-10,5\nx,2024-01-10,1\n"
_OTHER = b"id,day,amount\n9,2024-01-10,5\n"
_NEWER = b"id,day,amount\n2,2024-01-11,6\n"
_PUT = Step(0.0, "put", ("a.csv", _A))
_COMMIT = 8  # the curated table's UpdateTable among the changes that publish makes of a first object with a reject

GUARDS: Mapping[str, Guard] = {
    "marker": Guard(
        protects="publish finds its own fence in the table and stops",
        told="the response to the commit is lost",
        story=_story(_PUT, faults=[Fault(_COMMIT, "lost", "after", stage="publish")]),
        take_away=_without_marker,
    ),
    "fence order": Guard(
        protects="publish finds a larger fence in the table and stops",
        told="a publish stands still for eleven hours; meanwhile its run is given up and the object overwritten",
        story=_story(
            _PUT,
            Step(25_000.0, "tick"),
            Step(30_000.0, "put", ("a.csv", _NEWER)),
            faults=[Fault(at, "coma", stage="publish") for at in (0, 1)],
        ),
        take_away=_without_fence_order,
    ),
    "single-attempt Glue client": Guard(
        protects="a commit is sent once, and its outcome is read from the table",
        told="the response to the commit is lost",
        story=_story(_PUT, faults=[Fault(_COMMIT, "lost", "after", stage="publish")]),
        take_away=_with_retrying_glue,
    ),
    "freshness": Guard(
        protects="rows of a key are replaced unless none can be there",
        told="an object is overwritten",
        story=_story(_PUT, Step(60.0, "put", ("a.csv", _NEWER))),
        take_away=_fresh_by_belief,
    ),
    "lease check": Guard(
        protects="claim stops when its lease is gone",
        told="a run dies before its claim, and is started by hand while the next one is about to publish",
        story=_story(
            _PUT,
            Step(100.0, "tick"),
            Step(100.7, "by_hand", (1,)),
            faults=[
                *(Fault(at, "kill", mutating=False, stage="claim") for at in (0, 1)),
                Fault(0, "hang", stage="publish"),
            ],
        ),
        take_away=_without_lease,
    ),
    "settle order": Guard(
        protects="settle does not tell the ledger what an older run showed",
        told="a settle stands still for eleven hours; meanwhile the object is overwritten, and then the newer version "
        "is deleted for good and no event says so",
        story=_story(
            _PUT,
            Step(1_000.0, "put", ("a.csv", _NEWER)),
            Step(41_000.0, "erase", ("a.csv", -1), (("tell", False),)),
            faults=[Fault(0, "coma", stage="settle")],
        ),
        take_away=_without_settle_order,
    ),
    "replace order": Guard(
        protects="a `replace` table does not go back to an older object",
        told="a run is started by hand while its claim fails, and looks into the bucket a second after the next run "
        "has; in that second a newer object arrives, and the run that knows it publishes first",
        story=_story(
            Step(0.0, "put", ("z.csv", _OTHER)),
            Step(1000.0, "put", ("a.csv", _A)),
            Step(1000.5, "by_hand", (0,)),
            Step(1001.2, "tick"),
            Step(1001.55, "put", ("b.csv", _NEWER)),
            mode="replace",
            faults=[
                *(Fault(at, "kill", mutating=False, stage="claim") for at in (19, 26)),
                Fault(25, "lost", mutating=False, stage="claim"),
                Fault(7, "hang", mutating=False, stage="transform"),
            ],
        ),
        take_away=_without_replace_order,
    ),
    "repair place": Guard(
        protects="a file of repaired records takes the place of what it repairs",
        told="a record is rejected, a newer row of its key arrives, and then the rejected record is repaired",
        story=_story(
            Step(0.0, "put", ("a.csv", b"id,day,amount\n1,2024-01-10,x\n")),
            Step(1000.0, "put", ("b.csv", b"id,day,amount\n1,2024-01-10,9\n")),
            Step(2000.0, "mend", (0,)),
            mode="arrival",
        ),
        take_away=_without_places,
    ),
    "forgotten run": Guard(
        protects="where there is no record of the run whose fence the tables show, no key is taken for fresh",
        told="the ledger is restored from a backup that is one run old, and an event comes before the reconciler does",
        story=_story(
            _PUT,
            Step(100.0, "back_up"),
            Step(200.0, "put", ("c.csv", _NEWER)),
            Step(1000.0, "restore"),
            Step(1100.0, "put", ("b.csv", _OTHER)),
        ),
        take_away=lambda: [mock.patch("sluice.ledger.table.Ledger.has_forgotten", return_value=False)],
    ),
    "reconciler": Guard(
        protects="the bucket is compared with the ledger",
        told="an event never comes",
        story=_story(Step(0.0, "put", ("a.csv", _A), (("tell", False),))),
        take_away=_without_reconciler,
    ),
    "partial batch response": Guard(
        protects="ingest names the messages that are to come again",
        told="the execution cannot be started for some seconds",
        story=_story(_PUT, faults=[Fault(at, "error", stage="ingest") for at in range(2, 7)]),
        take_away=_without_batch_failures,
        alone=True,
    ),
    "write before wake": Guard(
        protects="ingest registers a load before it wakes the dataset",
        told="registering takes a second",
        story=_story(_PUT, faults=[Fault(2, "lost", stage="ingest")]),
        take_away=_wake_before_write,
        alone=True,
    ),
    "release before look": Guard(
        protects="settle gives the lease back before it looks for loads",
        told="another object arrives in the moment when a run settles",
        story=_story(_PUT, Step(0.71, "put", ("b.csv", _NEWER)), seed=2, stickiness=0.0),
        take_away=_look_before_release,
        alone=True,
    ),
    "If-None-Match": Guard(
        protects="a run's documents are written once",
        told="a run is started twice, once under each of two contracts, and the slower claim is written late",
        story=_story(
            Step(0.0, "put", ("a.csv", b"id,day,amount,note\n1,2024-01-10,5,n\n")),
            Step(0.1, "change_contract"),
            Step(0.1, "by_hand", (0,)),
            faults=[Fault(6, "lost", stage="claim"), *(Fault(at, "lost", stage="transform") for at in (0, 1))],
        ),
        take_away=_without_first_wins,
    ),
}
