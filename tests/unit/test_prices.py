"""Counted work times listed prices, and how work adds up."""

from __future__ import annotations

import pytest

from sluice import prices
from sluice.ledger.items import from_spending, from_usage, to_spending, to_usage
from sluice.prices import Usage, billed_bytes, billed_dpu_seconds, dollars, total

USAGE = Usage(
    calls={"s3.PutObject": 2, "s3.GetObject": 5, "dynamodb.TransactWriteItems": 1, "events.PutEvents": 1, "sts.X": 9},
    requests=3,
    gb_seconds=12.5,
    transitions=9,
    dpu_seconds=240.0,
    bytes_scanned=20_000_000,
)


def test_dollars_are_counts_times_listed_prices() -> None:
    assert dollars(USAGE) == pytest.approx(
        {
            "Glue": 240 * 0.44 / 3600,
            "Step Functions": 9 * 0.000025,
            "Lambda": 12.5 * 0.0000133334 + 3 * 0.0000002,
            "Athena": 20e6 * 5e-12,
            "S3 requests": 2 * 0.000005 + 5 * 0.0000004,
            "DynamoDB": 6 * 0.000000625,
            "EventBridge": 0.000001,
        }
    )
    assert total(USAGE) == pytest.approx(sum(dollars(USAGE).values()))


def test_usage_adds_up_part_by_part_and_nothing_is_nothing() -> None:
    twice = USAGE + USAGE
    assert total(twice) == pytest.approx(2 * total(USAGE))
    assert twice.calls["s3.GetObject"] == 10
    assert total(Usage()) == 0


def test_short_jobs_and_small_queries_are_billed_their_minimum() -> None:
    assert (billed_dpu_seconds(5, 4), billed_dpu_seconds(90, 4)) == (240, 360)
    assert (billed_bytes(1), billed_bytes(50_000_000), billed_bytes(0)) == (10_000_000, 50_000_000, 0)


def test_the_ledger_gives_back_what_was_consumed() -> None:
    assert to_usage(from_usage(USAGE)) == USAGE
    assert to_spending(from_spending(USAGE)) == USAGE
    assert to_usage({}) == Usage()


def test_the_price_list_has_a_date_and_a_place() -> None:
    assert (prices.READ_ON, prices.REGION) == ("2026-11", "us-east-1")
