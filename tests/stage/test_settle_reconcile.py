"""Transform, settle and reconcile against moto: what a run did is remembered and told, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import boto3
import pytest

from sluice.errors import TransientError
from sluice.kernel.outcome import Outcome
from sluice.ledger.model import Counts, Settlement
from sluice.stages.transform import open_group, store
from tests.stage.core_world import ITEMS, REGION, Crash, World, csv, faults
from tests.stage.moto_server import moto_server

DAY = "2024-01-10"
ROW = csv((1, DAY, 1))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def listen(world: World) -> list[dict[str, object]]:
    """What was told since the last time."""
    sqs = boto3.client("sqs", region_name=REGION)
    received = sqs.receive_message(QueueUrl=world.queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in received:
        sqs.delete_message(QueueUrl=world.queue, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"])["detail"] for message in received]


def hear(world: World) -> None:
    sqs, events = boto3.client("sqs", region_name=REGION), boto3.client("events", region_name=REGION)
    arn = sqs.get_queue_attributes(QueueUrl=world.queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = world.settings.database
    pattern = {"source": ["sluice"], "detail-type": ["TablePublished"], "detail": {"database": [name]}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])


def test_a_settled_run_is_remembered_with_its_counts(endpoint: str) -> None:
    world = World(endpoint)
    settled = world.load(world.put("a.csv", csv((1, DAY, 1), ("x", DAY, 1), (2, DAY, 1))), world.put("b.csv", "no\n"))
    counts = Counts(rows_read=3, rows_accepted=2, rows_rejected=1)
    assert (settled.state, settled.counts, settled.next_run) == ("PUBLISHED", counts, None)
    (run,) = world.ledger.runs("items")
    assert (run.state, run.engines, run.loads, run.counts, run.seconds) == ("PUBLISHED", ("lambda",), 2, counts, 30.0)
    assert {name for name, _ in run.snapshots} == {"items", "items__rejects"}
    loads = {load.key: load for load in world.ledger.loads("items")}
    assert (loads["items/a.csv"].state, loads["items/a.csv"].counts) == ("DONE", counts)
    assert (loads["items/b.csv"].state, loads["items/b.csv"].counts) == ("REFUSED", Counts())
    assert loads["items/b.csv"].reason
    assert {key.key: key.version_id for key in world.ledger.objects("items")} == {
        "items/a.csv": loads["items/a.csv"].version_id,
        "items/b.csv": None,  # what is refused is not shown
    }


def test_a_change_of_the_table_is_told_and_nothing_else_is(endpoint: str) -> None:
    world = World(endpoint)
    hear(world)
    event = world.put("a.csv", csv((1, DAY, 1), ("x", DAY, 1)))
    world.load(event)
    (told,) = listen(world)
    snapshot = world.services.catalog.load_table((world.settings.database, "items")).current_snapshot()
    assert snapshot is not None
    assert told == {
        "database": world.settings.database,
        "dataset": "items",
        "table": "items",
        "run_id": "items-1",
        "fence": 1,
        "snapshot_id": snapshot.snapshot_id,
        "rows_accepted": 1,
        "rows_rejected": 1,
    }
    world.load(world.delete("a.csv"))  # kept: nothing changes
    assert (listen(world), world.ledger.run("items", 2).state) == ([], "EMPTY")  # type: ignore[union-attr]


def test_settling_twice_changes_nothing(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", ROW))
    before = sorted(world.ledger.loads("items"), key=lambda load: load.load_id), list(world.ledger.runs("items"))
    world.settle(fence=1)
    world.settle(fence=1, outcome="failed", error="too late to say so")
    assert before == (
        sorted(world.ledger.loads("items"), key=lambda load: load.load_id),
        list(world.ledger.runs("items")),
    )


def test_settle_may_die_after_any_call(endpoint: str) -> None:
    world = World(endpoint)
    for at in range(7):
        world.ingest(world.put("a.csv", csv((at, DAY, 1))))
        world.claim()
        world.transform()
        world.publish()
        with faults(world, at=at, when="after", crash=True) as calls, suppress(Crash):
            world.settle()
        world.settle(fence=at + 1)
        newest = world.ledger.lease("items")
        assert (newest.run_id, world.ledger.pending("items")) == (None, []), calls
    assert len(calls) < at  # the last rounds were struck no more: every call has been
    assert world.states_of_loads() == ["DONE"] * 7


def test_a_load_that_arrives_while_a_run_is_busy_wakes_the_next_run(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    world.claim()
    assert world.ingest(world.put("b.csv", csv((2, DAY, 1)))).errors == ()
    assert world.executions() == ["items-1"]
    world.transform()
    world.publish()
    assert world.settle().next_run == "items-2"
    assert world.executions() == ["items-1", "items-2"]
    world.run()
    assert world.ids() == [1, 2]


def test_a_failed_run_keeps_its_loads_waiting_and_does_not_try_again_at_once(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    world.claim()
    settled = world.settle(outcome="failed", error="States.TaskFailed: out of memory")
    assert (settled.state, settled.next_run, world.states_of_loads()) == ("FAILED", None, ["PENDING"])
    (run,) = world.ledger.runs("items")
    assert (run.state, run.error) == ("FAILED", "States.TaskFailed: out of memory")
    found = world.reconcile()
    assert (found.registered, found.waiting, found.woken) == (0, 1, "items-2")
    world.run()
    assert (world.ids(), [load.attempts for load in world.ledger.loads("items")]) == ([1], [2])


def test_a_run_that_published_is_settled_so_whatever_came_later(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    world.claim()
    world.transform()
    world.publish()
    assert world.settle(outcome="failed", error="Settle timed out").state == "PUBLISHED"
    assert world.states_of_loads() == ["DONE"]


def test_a_run_of_before_cannot_settle_what_another_run_has_claimed(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    world.claim()
    world.transform()
    world.publish()
    world.now = world.now.replace(hour=23)
    world.ingest(world.put("b.csv", csv((2, DAY, 1))))
    world.claim(fence=2)
    world.settle(fence=1)
    assert world.states_of_loads() == ["PENDING", "PENDING"]
    assert world.ledger.lease("items").run_id == "items-2"
    world.run()
    assert (world.states_of_loads(), world.ids()) == (["DONE", "DONE"], [1, 2])


def test_an_object_that_vanished_is_passed_over_and_the_rest_goes_on(endpoint: str) -> None:
    world = World(endpoint)
    gone = json.loads(world.put("a.csv", ROW))["detail"]["object"]
    world.ingest(world.event(gone["key"], gone["version-id"]), world.put("b.csv", csv((2, DAY, 1))))
    world.claim()
    world.raw.delete_object(Bucket=world.settings.raw_bucket, Key=gone["key"], VersionId=gone["version-id"])
    world.transform()
    world.publish()
    world.settle()
    assert (world.ids(), world.states_of_loads()) == ([2], ["DONE", "SUPERSEDED"])


def test_the_first_result_of_a_group_stands(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    world.claim()
    first = world.transform()
    claim, group = open_group(world.folder(1), 0)
    late = store(
        world.folder(1), claim, group, Outcome(files=(), loads=first.loads), s3=world.raw, vanished=(), seconds=9.0
    )
    assert late == first


def test_a_result_without_an_account_of_every_load_is_refused(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    world.claim()
    claim, group = open_group(world.folder(1), 0)
    with pytest.raises(TransientError, match="no account of 1 loads"):
        store(world.folder(1), claim, group, Outcome(files=(), loads=()), s3=world.raw, vanished=(), seconds=0.0)


def test_an_object_whose_event_was_lost_is_found(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", ROW))
    world.put("lost.csv", csv((2, DAY, 1)))
    world.put("a.csv", csv((3, DAY, 1)))
    found = world.reconcile()
    assert (found.versions, found.registered, found.reopened, found.woken) == (2, 2, 0, "items-2")
    world.run()
    assert world.ids() == [2, 3]
    again = world.reconcile()
    assert (again.registered, again.reopened, again.waiting, again.woken) == (0, 0, 0, None)


def test_an_older_version_counts_again_when_the_newer_is_deleted_for_good(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", ROW))
    newer = json.loads(world.put("a.csv", csv((2, DAY, 1))))["detail"]["object"]["version-id"]
    world.load(world.event("items/a.csv", newer))
    assert world.ids() == [2]
    world.raw.delete_object(Bucket=world.settings.raw_bucket, Key="items/a.csv", VersionId=newer)
    assert world.reconcile().reopened == 1
    world.run()
    assert world.ids() == [1]
    assert world.reconcile().reopened == 0


def test_a_lost_deletion_is_found_where_the_contract_retracts(endpoint: str) -> None:
    world = World(endpoint, replace(ITEMS, on_delete="retract"))
    world.load(world.put("a.csv", ROW))
    world.delete("a.csv")
    assert world.reconcile().registered == 1
    world.run()
    assert world.ids() == []


def test_the_lease_of_a_dead_run_is_broken_and_that_of_a_living_one_is_not(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    assert world.reconcile().broken_lease is None
    world.claim()
    world.states.stop_execution(executionArn=world.execution("items-1"))
    found = world.reconcile()
    assert (found.broken_lease, found.woken) == ("items-1", "items-2")
    world.run()
    assert world.ids() == [1]


def test_a_lease_whose_run_was_never_started_is_started(endpoint: str) -> None:
    world = World(endpoint)
    world.put("a.csv", ROW)
    world.ledger.acquire("items", now=int(world.now.timestamp()), seconds=600)
    assert world.executions() == []
    assert (world.reconcile().woken, world.executions()) == ("items-1", ["items-1"])


def test_more_loads_than_fit_a_transaction_are_all_settled(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(*(world.event(f"items/{at}.csv", "v") for at in range(55)))
    loads = world.ledger.attempt(world.ledger.pending("items"), run_id="items-1")
    done = [Settlement(load=replace(load, state="DONE"), order=str(at)) for at, load in enumerate(loads)]
    world.ledger.settle(done[:3], fence=1)
    world.ledger.settle(done, fence=1)  # the first half is settled already
    assert (world.states_of_loads(), len(world.ledger.pending("items"))) == (["DONE"] * 55, 0)
    assert len(world.ledger.object_states("items", [load.key for load in loads])) == 55
