"""The name of a repaired file carries the place of what it repairs, and nothing else can claim a place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.contract.repairs import identity, name_of, order_of, place_of, repaired_identity, time_of

DAY1 = "2026-11-01T12:00:00.000000Z"
DAY2 = "2026-11-02T12:00:00.000000Z"
DAY3 = "2026-11-03T12:00:00.000000Z"


def repair(key: str, order: str) -> str:
    return f"orders/{name_of(key=key, version_id='v', order=order, suffix='.csv')}"


def test_a_repaired_file_stands_right_after_what_it_repairs_and_before_all_that_came_later() -> None:
    original = order_of("orders/a.csv", stamp=DAY1, ordinal=0)
    again = order_of("orders/a.csv", stamp=DAY1, ordinal=1)
    newer = order_of("orders/0.csv", stamp=DAY2, ordinal=0)
    repaired = repair("orders/a.csv", original)
    first, second = order_of(repaired, stamp=DAY3, ordinal=0), order_of(repaired, stamp=DAY3, ordinal=1)
    assert sorted([newer, second, again, first, original]) == [original, first, second, again, newer]
    assert [time_of(order) for order in (original, first, newer)] == [DAY1, DAY3, DAY2]


def test_what_repairs_a_repaired_file_takes_the_place_of_the_first_original() -> None:
    original = order_of("orders/sub/a b.csv", stamp=DAY1, ordinal=0)
    repaired = repair("orders/sub/a b.csv", original)
    twice = repair(repaired, order_of(repaired, stamp=DAY2, ordinal=0))
    orders = [order_of(repaired, stamp=DAY2, ordinal=0), order_of(twice, stamp=DAY3, ordinal=0)]
    assert original < orders[0] < orders[1] < order_of("orders/a.csv", stamp=DAY2, ordinal=0)
    assert repaired_identity(twice) == identity(repaired, "v")


def test_a_name_that_claims_to_be_newer_than_its_file_carries_no_place() -> None:
    forged = repair("orders/a.csv", order_of("orders/a.csv", stamp="9999-01-01T00:00:00.000000Z", ordinal=0))
    assert place_of(forged) is not None
    assert order_of(forged, stamp=DAY1, ordinal=0) == f"{DAY1}/{forged}/000000"


@given(st.text(min_size=1).filter(lambda key: len(key.encode(errors="replace")) < 900 and key.isprintable()))
def test_any_key_goes_through_a_name_that_every_file_system_takes(key: str) -> None:
    order = order_of(f"orders/{key}", stamp=DAY1, ordinal=7)
    name = name_of(key=f"orders/{key}", version_id="v", order=order, suffix=".jsonl")
    assert len(name.encode()) + len(".why.txt") <= 255
    assert "/" not in name
    place = place_of(f"orders/{name}")
    assert place is not None
    assert (place.stamp, place.ordinal) == (DAY1, "000007")
    assert key.startswith(place.key)
    assert place.key == key or len(name) > 200


@pytest.mark.parametrize(
    "name", ["repaired-0123456789abcdef.csv", "repaired-a.csv", "repaired-x-20261101T120000000000Z-0-a.csv"]
)
def test_another_name_is_an_ordinary_file(name: str) -> None:
    assert place_of(f"orders/{name}") is None
    assert re.match(r"2026", order_of(f"orders/{name}", stamp=DAY1, ordinal=0))
