"""Delivery that is unreliable on purpose."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws
from moto.events.models import Rule

from sluice.local.pace import Pace
from sluice.local.principals import Principals
from sluice.local.pump import Chaos, Pump
from sluice.local.seams import eventbridge_targets
from sluice.local.seams.patch import original

KEYS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "x", "region_name": "us-east-1"}
SENT = [f"{number:02}" for number in range(40)]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Rule, "send_to_targets", original(Rule, "send_to_targets"))
    with mock_aws():
        boto3.client("events", **KEYS).put_rule(Name="r", EventPattern=json.dumps({"source": ["aws.s3"]}))  # type: ignore[call-overload]
        yield


def delivered(chaos: Chaos | None) -> list[str]:
    """The keys of what arrives when `SENT` is sent."""
    seen: list[str] = []
    eventbridge_targets.install(lambda _rule, event: seen.append(event["detail"]["object"]["key"]))
    pump = Pump(Principals(endpoint="http://127.0.0.1:1", region="us-east-1"), pace=Pace(), chaos=chaos)
    for key in SENT:
        pump.on_s3("Object Created", {"bucket": {"name": "raw"}, "object": {"key": key}})
    assert pump.idle
    pump.close()
    return seen


def test_without_chaos_events_arrive_once_and_in_order() -> None:
    assert delivered(None) == SENT


def test_duplicates_come_beside_the_event_and_nothing_is_lost() -> None:
    counts = Counter(delivered(Chaos(seed=1, duplicate=0.5)))
    assert set(counts) == set(SENT)
    assert set(counts.values()) == {1, 2}


def test_reordered_events_all_arrive_some_late() -> None:
    seen = delivered(Chaos(seed=1, reorder=0.5))
    assert sorted(seen) == SENT
    assert seen != SENT


def test_same_seed_gives_the_same_delivery() -> None:
    chaos = Chaos(seed=7, duplicate=0.3, reorder=0.3)
    assert delivered(chaos) == delivered(chaos)
    assert delivered(chaos) != delivered(Chaos(seed=8, duplicate=0.3, reorder=0.3))
