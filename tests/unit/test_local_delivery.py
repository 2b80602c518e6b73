from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sluice.local.faults import Fault, Faults
from sluice.local.pace import Pace
from sluice.local.polling import failures
from sluice.local.request import Request
from sluice.local.results import as_csv, as_text
from sluice.local.seams.lambda_workers import Answer

PARTIAL = ["ReportBatchItemFailures"]
IDS = ["1", "2"]


@pytest.mark.parametrize(
    ("answer", "types", "again"),
    [
        (Answer(json.dumps({"batchItemFailures": [{"itemIdentifier": "2"}]})), PARTIAL, {"2"}),
        (Answer(json.dumps({"batchItemFailures": []})), PARTIAL, set()),
        (Answer("null"), PARTIAL, set()),
        (Answer(json.dumps({"batchItemFailures": [{"itemIdentifier": "unknown"}]})), PARTIAL, {"1", "2"}),
        (Answer(json.dumps({"batchItemFailures": [{"wrong": "2"}]})), PARTIAL, {"1", "2"}),
        (Answer("{}", failed=True), PARTIAL, {"1", "2"}),
        (Answer(json.dumps({"batchItemFailures": [{"itemIdentifier": "2"}]})), [], set()),
    ],
)
def test_messages_come_again_by_lambdas_rules(answer: Answer, types: list[str], again: set[str]) -> None:
    assert failures(answer, IDS, types) == again


def call(service: str = "s3", operation: str = "PutObject", resource: str = "") -> Request:
    return Request(service=service, operation=operation, resource=resource, access_key="")


def test_fault_strikes_the_nth_matching_call_only() -> None:
    faults = Faults()
    faults.inject(Fault(match=("s3", "PutObject", 2)))
    calls = [call(), call("sqs", "SendMessage"), call(), call()]
    assert [faults.strike(each, "somebody") is not None for each in calls] == [False, False, True, False]


def test_fault_may_be_meant_for_one_role_and_one_resource() -> None:
    faults = Faults()
    faults.inject(Fault(match=("*", "*"), role="publish", resource="flights"))
    assert faults.strike(call(resource="flights"), "role/claim") is None
    assert faults.strike(call(resource="planes"), "role/publish") is None
    assert faults.strike(call(resource="flights"), "role/publish") is not None


def test_waiting_shrinks_and_never_lasts_long() -> None:
    pace = Pace(scale=0.01, longest=0.25)
    assert pace.seconds(2) == pytest.approx(0.02)
    assert pace.seconds(900) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (Decimal("1.50"), "1.50"),
        (date(2013, 1, 2), "2013-01-02"),
        (datetime(2013, 1, 2, 3, 4, 5, 678000), "2013-01-02 03:04:05.678000"),  # noqa: DTZ001  (Athena's has no zone)
        ([1, None], "[1, null]"),
        ({"a": 1}, "{a=1}"),
    ],
)
def test_value_is_printed_as_athena_prints_it(value: Any, text: str | None) -> None:
    assert as_text(value) == text


def test_result_file_tells_null_from_empty_text() -> None:
    assert as_csv(["a", "b"], [[None, ""], ['say "x"', "1"]]) == b'"a","b"\n,""\n"say ""x""","1"\n'
