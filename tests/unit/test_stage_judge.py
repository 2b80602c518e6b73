"""Which loads a run takes, what it does with them, and how it packs them: the pure part of claim."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sluice.contract.plan import Plan
from sluice.lake.versions import KeyHistory, history
from sluice.ledger.model import Load
from sluice.stages.judge import MOST_GROUPS, choose, judge, pack, weigh
from sluice.stages.manifest import ClaimedLoad

PLAN = Plan(dataset="items", version="1.0.0", mode="append")
NOON = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def load(name: str, attempts: int = 0) -> Load:
    return Load(load_id=name, dataset="items", key=f"items/{name}", version_id="v", attempts=attempts)


def claimed(name: str, size: int = 10, attempts: int = 0) -> ClaimedLoad:
    found = history(f"items/{name}", [(NOON, "v", size, False)]).versions[0]
    return judge(load(name, attempts), plan=PLAN, found=found, counts=True, loads_of_key=1)


def key(name: str, *newest_first: tuple[int, str, bool]) -> KeyHistory:
    entries = [(NOON + timedelta(seconds=at), version, 1, is_marker) for at, version, is_marker in newest_first]
    return history(f"items/{name}", entries)


DELETED = key("a", (2, "marker", True), (1, "second", False), (0, "first", False))
PRESENT = key("b", (1, "only", False))


@pytest.mark.parametrize(
    ("mode", "on_delete", "expected"),
    [
        ("append", "keep", {"second", "only"}),
        ("append", "retract", {"marker", "only"}),
        ("merge", "keep", {"first", "second", "only"}),
        ("replace", "keep", {"only"}),
    ],
)
def test_the_mode_says_which_versions_count(mode: str, on_delete: str, expected: set[str]) -> None:
    plan = replace(PLAN, mode=mode, on_delete=on_delete)  # type: ignore[arg-type]
    assert {version.version_id for version in weigh(plan, [DELETED, PRESENT], lambda _: False).shown} == expected


def test_a_prefix_without_versions_counts_none() -> None:
    assert weigh(replace(PLAN, mode="replace"), [], lambda _: False).shown == ()


def test_order_sorts_by_age_and_keeps_the_age_of_versions_of_one_moment() -> None:
    same_moment = history("items/a", [(NOON, "third", 1, False), (NOON, "second", 1, False), (NOON, "first", 1, False)])
    later = history("items/0", [(NOON + timedelta(milliseconds=1), "later", 1, False)])
    orders = [version.order for version in (*same_moment.versions, *later.versions)]
    assert orders == sorted(orders)
    assert orders[0] == "2026-11-01T12:00:00.000000Z/items/a/000000"
    assert [version.version_id for version in same_moment.versions] == ["first", "second", "third"]


def test_a_vanished_version_is_skipped() -> None:
    assert judge(load("a"), plan=PLAN, found=None, counts=False, loads_of_key=1).action == "skip"


def test_only_the_first_attempt_at_the_only_load_of_a_key_is_fresh() -> None:
    found = PRESENT.versions[0]
    fresh = [
        judge(load("b", attempts), plan=PLAN, found=found, counts=True, loads_of_key=loads).fresh
        for attempts, loads in ((0, 1), (1, 1), (0, 2))
    ]
    assert fresh == [True, False, False]


def test_healthy_loads_run_together_up_to_the_limit() -> None:
    choice = choose([load("a"), load("b", 1), load("c")], fence=1, limit=2, max_attempts=5)
    assert [one.load_id for one in choice.taken] == ["a", "b"]


def test_a_load_that_failed_twice_does_not_hold_the_others() -> None:
    waiting = [load("poison", 2), load("a")]
    assert [one.load_id for one in choose(waiting, fence=1, limit=9, max_attempts=5).taken] == ["a"]
    assert [one.load_id for one in choose(waiting, fence=4, limit=9, max_attempts=5).taken] == ["poison"]
    assert [one.load_id for one in choose(waiting[:1], fence=1, limit=9, max_attempts=5).taken] == ["poison"]


def test_the_more_often_loads_failed_the_fewer_run_together() -> None:
    sizes = [
        len(choose([load(str(at), attempts) for at in range(2000)], fence=1, limit=1000, max_attempts=6).taken)
        for attempts in (0, 1, 2, 3, 4, 5)
    ]
    assert sizes == [1000, 1000, 100, 10, 1, 1]


def test_a_load_that_failed_too_often_is_exhausted() -> None:
    choice = choose([load("a", 5), load("b", 4)], fence=1, limit=9, max_attempts=5)
    assert ([one.load_id for one in choice.exhausted], [one.load_id for one in choice.taken]) == (["a"], ["b"])


def packed(loads: list[ClaimedLoad]) -> list[tuple[str, int]]:
    groups = pack(loads, lambda_max_bytes=100, group_max_bytes=50, group_max_objects=3)
    assert [group.index for group in groups] == list(range(len(groups)))
    return [(group.engine, len(group.loads)) for group in groups]


def test_groups_are_bounded_in_objects_and_bytes() -> None:
    assert packed([claimed(str(at)) for at in range(7)]) == [("lambda", 3), ("lambda", 3), ("lambda", 1)]
    assert packed([claimed("a", 30), claimed("b", 30), claimed("c", 20)]) == [("lambda", 1), ("lambda", 2)]
    assert packed([claimed("a", 90), claimed("b", 1)]) == [("lambda", 1), ("lambda", 1)]


def test_all_large_objects_make_one_glue_group() -> None:
    assert packed([claimed("a", 101), claimed("b", 500), claimed("c", 100)]) == [("lambda", 1), ("glue", 2)]


def test_loads_that_failed_go_together_with_others_that_failed_as_often() -> None:
    loads = [claimed("a"), claimed("b", attempts=1), claimed("c"), claimed("d")]
    assert packed(loads) == [("lambda", 3), ("lambda", 1)]


USUAL = {"lambda_max_bytes": 1 << 29, "group_max_bytes": 1 << 28, "group_max_objects": 1000}


def test_an_outage_that_failed_ten_thousand_loads_once_costs_one_more_run_and_not_fifty() -> None:
    groups = pack([claimed(f"{at:05d}", attempts=1) for at in range(10_000)], **USUAL)
    assert sum(len(group.loads) for group in groups) == 10_000
    assert len(groups) <= MOST_GROUPS


def test_an_object_that_kills_its_worker_is_alone_before_it_is_given_up() -> None:
    for attempts, together in enumerate((1000, 100, 10, 1, 1)):
        waiting = [load(f"{at:05d}", attempts) for at in range(2000)]
        taken = choose(waiting, fence=1, limit=10_000, max_attempts=5).taken
        groups = pack([claimed(one.load_id, attempts=attempts) for one in taken], **USUAL)
        assert max(len(group.loads) for group in groups) == together


def test_failing_loads_leave_places_for_new_ones_and_new_ones_for_them() -> None:
    old = [claimed(f"0{at:05d}", attempts=3) for at in range(2 * MOST_GROUPS)]
    new = [claimed(f"1{at:05d}", 1 << 28) for at in range(2 * MOST_GROUPS)]
    groups = pack([*old, *new], **USUAL)
    fresh = sum(group.loads[0].startswith("1") for group in groups)
    assert len(groups) == MOST_GROUPS
    assert MOST_GROUPS // 2 < fresh < MOST_GROUPS


def test_a_job_of_spark_gets_no_more_than_its_disks_take() -> None:
    groups = pack([claimed(f"{at:05d}", 50 << 30) for at in range(20)], **USUAL)
    assert [(group.engine, len(group.loads)) for group in groups] == [("glue", 4)] * 5


def test_a_run_has_no_more_groups_than_its_state_machine_can_bear() -> None:
    loads = [claimed(f"{at:03d}", 60) for at in range(300)]
    assert len(packed([*loads, claimed("large", 101)])) == MOST_GROUPS
