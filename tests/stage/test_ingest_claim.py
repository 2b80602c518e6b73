"""Ingest and claim against moto: events become loads once, and a run takes what the bucket says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import boto3
import pytest

from sluice.errors import StaleRunError, TransientError
from sluice.ledger.model import Lease, ObjectState, load_id
from sluice.ledger.table import Ledger
from sluice.stages.ingest import ingest
from tests.stage.core_world import ACCOUNT, ITEMS, MERGED, REGION, World, csv
from tests.stage.moto_server import moto_server

ROW = csv((1, "2024-01-10", 1))


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as address:
        yield address


def test_a_repeated_event_registers_nothing_and_starts_nothing_once_its_load_is_done(endpoint: str) -> None:
    world = World(endpoint)
    event = world.put("a.csv", ROW)
    first = world.ingest(event, event)
    assert (first.registered, first.known, first.failed) == (1, 1, ())
    world.run()
    again = world.ingest(event)
    assert (again.registered, again.known) == (0, 1)
    assert (world.states_of_loads(), world.executions(), world.ids()) == (["DONE"], ["items-1"], [1])


def test_a_load_that_was_registered_but_never_woken_is_woken_by_the_redelivery(endpoint: str) -> None:
    world = World(endpoint)
    event = world.put("a.csv", ROW)

    def broken(_: str) -> None:
        raise TransientError("Step Functions is throttled")

    tried = ingest(
        [("m0", event)],
        ledger=world.ledger,
        plans={"items": world.plan},
        raw_bucket=world.settings.raw_bucket,
        account=ACCOUNT,
        wake=broken,
        now=world.now,
    )
    assert (tried.failed, tried.registered, world.executions()) == (("m0",), 1, [])
    assert world.ingest(event).failed == ()
    assert world.executions() == ["items-1"]


def test_one_bad_message_fails_alone(endpoint: str) -> None:
    world = World(endpoint)
    foreign = json.loads(world.put("a.csv", ROW))
    foreign["detail"]["bucket"]["name"] = "somebody-elses"
    unversioned = json.loads(world.put("a.csv", ROW))
    del unversioned["detail"]["object"]["version-id"]
    done = world.ingest(
        "no json", json.dumps(foreign), json.dumps(unversioned), '{"detail": 1}', world.put("b.csv", ROW)
    )
    assert (done.failed, done.registered) == (("m0", "m1", "m2", "m3"), 1)


@pytest.mark.parametrize(
    "forgery",
    [{"account": "210987654321"}, {"source": "aws.s3.mine"}, {"account": None}],
    ids=["another account's bucket of this name", "not S3", "no account"],
)
def test_forged_event_opens_no_load(endpoint: str, forgery: dict[str, Any]) -> None:
    world = World(endpoint)
    event = {**json.loads(world.put("a.csv", ROW)), **forgery}
    done = world.ingest(json.dumps({name: value for name, value in event.items() if value is not None}))
    assert (done.failed, done.registered, world.executions()) == (("m0",), 0, [])


def test_event_of_a_version_that_does_not_exist_changes_no_table(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW), world.event("items/a.csv", "forged"), world.event("items/b.csv", "forged"))
    claimed = world.claim()
    assert {load.version_id: load.action for load in claimed.loads if load.version_id == "forged"} == {
        "forged": "forget"
    }
    assert [load.action for load in claimed.loads if load.version_id != "forged"] == ["put"]


def test_what_a_malformed_event_holds_is_not_repeated(endpoint: str) -> None:
    done = World(endpoint).ingest('{"detail": {"bucket": "canary-7"}, "canary-8": 1}', "canary-9", '{"canary-10"')
    assert len(done.malformed) == 3
    assert "canary" not in str(done.malformed)


def test_keys_of_no_dataset_are_told_and_not_failed(endpoint: str) -> None:
    world = World(endpoint)
    done = world.ingest(
        world.event("stray.csv", "v"), world.event("other/a.csv", "v"), world.event("items/folder/", "v")
    )
    assert (done.unknown, done.failed, done.registered) == (("stray.csv", "other/a.csv"), (), 0)
    assert done.passed_over == ("items/folder/",)


def test_a_version_deleted_for_good_opens_no_load(endpoint: str) -> None:
    world = World(endpoint)
    event = world.event("items/a.csv", "v", kind="Object Deleted", more={"deletion-type": "Permanently Deleted"})
    assert world.ingest(event).registered == 0


def test_an_expired_lease_is_taken_over_and_the_old_run_can_claim_no_more(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    world.now = world.now.replace(hour=23)
    world.ingest(world.put("b.csv", ROW))
    assert world.executions() == ["items-1", "items-2"]
    with pytest.raises(StaleRunError):
        world.claim(fence=1)
    assert len(world.claim(fence=2).loads) == 2


def test_the_first_claim_of_a_run_stands(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    first = world.claim()
    world.ingest(world.put("b.csv", ROW))
    assert world.claim() == first
    assert [load.attempts for load in world.ledger.pending("items") if load.key == "items/a.csv"] == [1]


def test_a_claim_repeated_after_its_run_has_published_changes_nothing(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW))
    first = world.claim()
    world.transform()
    world.publish()
    assert world.claim() == first
    lease = world.ledger.lease("items")
    assert (lease.run_id, lease.restored) == ("items-1", False)


def test_a_claim_that_died_before_it_was_written_counts_its_attempt_once(endpoint: str) -> None:
    world = World(endpoint, max_attempts=1)
    world.ingest(world.put("a.csv", ROW))
    world.ledger.attempt(world.ledger.pending("items"), run_id="items-1")
    claimed = world.claim()
    assert [(load.attempts, load.fresh, load.action) for load in claimed.loads] == [(1, True, "put")]


def test_a_load_that_another_run_takes_at_the_same_moment_is_not_fresh(endpoint: str) -> None:
    world = World(endpoint)

    class Racing(Ledger):
        def object_states(self, dataset: str, keys: Iterable[str]) -> Mapping[str, ObjectState]:
            world.ledger.attempt(world.ledger.pending(dataset), run_id="items-0")
            return super().object_states(dataset, keys)

    world.ingest(world.put("a.csv", ROW))
    table = boto3.resource("dynamodb", region_name=REGION).Table(world.settings.ledger_table)
    honest, world.ledger = world.ledger, Racing(table)
    claimed = world.claim()
    world.ledger = honest
    assert [(load.attempts, load.fresh) for load in claimed.loads] == [(2, False)]


def test_who_read_the_lease_long_ago_cannot_set_its_fence_back(endpoint: str) -> None:
    world = World(endpoint)

    class Racing(Ledger):
        stale: ClassVar[list[Lease]] = []

        def lease(self, dataset: str) -> Lease:
            return self.stale.pop() if self.stale else super().lease(dataset)

    racing = Racing(boto3.resource("dynamodb", region_name=REGION).Table(world.settings.ledger_table))
    for _ in range(2):
        racing.stale.append(world.ledger.lease("items"))
        first = world.ledger.acquire("items", now=100, seconds=60)
        assert world.ledger.release("items", run_id=first.run_id or "")
        second = world.ledger.acquire("items", now=100, seconds=60)
        assert racing.acquire("items", now=100, seconds=60) == second
        assert second.fence == first.fence + 1
        assert world.ledger.release("items", run_id=second.run_id or "")


def test_the_bucket_decides_whatever_the_order_of_events(endpoint: str) -> None:
    world = World(endpoint)
    older, newer = world.put("a.csv", ROW), world.put("a.csv", csv((2, "2024-01-10", 1)))
    world.load(newer)
    world.load(older)
    assert (world.ids(), world.states_of_loads()) == ([2], ["DONE", "SUPERSEDED"])
    assert world.snapshots() == 1  # a run with nothing to do publishes nothing


def test_an_object_is_fresh_only_while_no_other_load_of_its_key_was_ever_opened(endpoint: str) -> None:
    world = World(endpoint)
    world.ingest(world.put("a.csv", ROW), world.put("b.csv", ROW), world.put("b.csv", ROW))
    assert {load.key: load.fresh for load in world.claim().loads if load.action == "put"} == {
        "items/a.csv": True,
        "items/b.csv": False,
    }


def test_every_version_counts_for_merge_and_only_the_newest_of_all_for_replace(endpoint: str) -> None:
    for mode, actions in (("merge", ["put", "put", "put"]), ("replace", ["put", "skip", "skip"])):
        world = World(endpoint, replace(MERGED, mode=mode))
        world.ingest(world.put("a.csv", ROW), world.put("a.csv", ROW), world.put("b.csv", ROW))
        assert sorted(load.action for load in world.claim().loads) == actions


def test_a_key_that_is_the_beginning_of_others_finds_its_own_versions(endpoint: str) -> None:
    world = World(endpoint)
    longer = [world.put(f"a{at}", ROW) for at in range(3)]
    world.ingest(world.put("a", ROW), *longer)
    assert all(load.action == "put" for load in world.claim().loads)


def test_large_objects_go_to_glue_and_small_ones_are_packed(endpoint: str) -> None:
    world = World(endpoint, lambda_max_bytes=100, group_max_objects=2)
    world.ingest(*(world.put(f"{at}.csv", ROW) for at in range(3)), world.put("big.csv", ROW + "x" * 100))
    assert [(group.engine, len(group.loads)) for group in world.claim().groups] == [
        ("lambda", 2),
        ("lambda", 1),
        ("glue", 1),
    ]


def test_a_load_that_failed_too_often_is_parked_and_can_be_redriven(endpoint: str) -> None:
    world = World(endpoint, max_attempts=2)
    world.ingest(world.put("a.csv", ROW))
    for _ in range(2):
        world.claim()
        world.settle(outcome="failed", error="the worker died")
        world.wake("items")
    assert (world.claim().loads, world.states_of_loads(), len(world.ledger.pending("items"))) == ((), ["PARKED"], 0)
    (parked,) = world.ledger.loads("items")
    assert "2 runs with it failed" in (parked.reason or "")
    world.settle()
    assert world.reconcile().parked == 1
    assert world.ledger.reopen(parked)
    assert not world.ledger.reopen(parked)
    world.wake("items")
    world.run()
    assert (world.ids(), world.states_of_loads()) == ([1], ["DONE"])


def test_tables_are_created_once_and_grow_with_the_contract(endpoint: str) -> None:
    world = World(endpoint)
    world.load(world.put("a.csv", ROW))
    note = replace(ITEMS.columns[2], name="note", source="note", type="string", cast='"note"')
    world.plan = replace(ITEMS, version="1.1.0", columns=(*ITEMS.columns, note))
    ids = world.folder(1).must_claim().curated_ids
    world.load(world.put("b.csv", "id,day,amount,note\n2,2024-01-10,1,new\n"))
    grown = world.folder(2).must_claim().curated_ids
    assert {name: grown[name] for name in ids} == ids
    assert world.rows() == [(1, world.rows()[0][1], 1, None), (2, world.rows()[1][1], 1, "new")]
    world.load(world.put("a.csv", "id,day,amount,note\n1,2024-01-10,1,changed\n"))
    assert [row[3] for row in world.rows()] == ["changed", "new"]


def test_identity_of_a_load_is_stable() -> None:
    # Other parts and other versions of Sluice rely on it: a change would load everything again.
    assert load_id("bucket", "items/a.csv", "v1", 0) == "714512b825122149cb1e0eef2cd009fc"
    assert load_id("bucket", "items/a.csv", "v1", 1) != load_id("bucket", "items/a.csv", "v1", 0)


def test_a_batch_of_events_is_registered_by_few_calls_and_each_load_once(endpoint: str) -> None:
    world = World(endpoint)
    old, twice = world.event("items/0.csv", "v"), world.event("items/1.csv", "v")
    world.ingest(old)
    calls: list[str] = []
    world.session.events.register("before-send.dynamodb.TransactWriteItems", lambda **_: calls.append("write"))
    newer = world.event("items/1.csv", "w")  # of one key: never in one transaction
    done = world.ingest(old, twice, newer, twice, *(world.event(f"items/{at}.csv", "v") for at in range(2, 70)))
    assert (done.registered, done.known, done.failed) == (70, 2, ())
    assert len(calls) <= 4  # 33 loads each, and once more without the load that was known
    assert len(world.ledger.pending("items")) == 71
    counted = world.ledger.object_states("items", ["items/0.csv", "items/1.csv", "items/2.csv"])
    assert {key: state.loads for key, state in counted.items()} == {
        "items/0.csv": 1,
        "items/1.csv": 2,
        "items/2.csv": 1,
    }
