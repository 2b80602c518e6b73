"""What a run is told as in figures: lag, volume against history, budget, transitions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sluice import metrics
from sluice.contract.plan import ObjectCheck, Plan
from sluice.kernel.outcome import LoadSummary, Measure, RejectCount
from sluice.ledger.model import Counts, Load, Run, Settlement
from sluice.prices import LAMBDA_GB_SECOND, Usage
from sluice.stages.budget import is_stopped, spent_this_month
from sluice.stages.figures import figures_of, lag_seconds, transitions, volume_ratio
from sluice.stages.manifest import Claim, ClaimedLoad, Group, GroupResult, Publication

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DOLLAR = Usage(gb_seconds=1 / LAMBDA_GB_SECOND)
PLAN = Plan(dataset="d", version="1.0.0", mode="append")


def run(fence: int = 9, rows: int = 100, loads: int = 1, started: str = "2026-11-20T11:00:00", **more: object) -> Run:
    made = Run(dataset="d", fence=fence, run_id=f"d-{fence}", state="PUBLISHED", started=started, loads=loads,
               counts=Counts(rows_read=rows, rows_accepted=rows))  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def claim(*orders: str, **more: object) -> Claim:
    loads = tuple(
        ClaimedLoad(load_id=f"l{at}", key="d/k", version_id="v", kind="put", generation=0, size=1, registered="",
                    attempts=1, action="put", order=order)
        for at, order in enumerate(orders)
    )  # fmt: skip
    made = Claim(dataset="d", fence=9, run_id="d-9", started="2026-11-20T11:00:00", plan=PLAN, curated_ids={},
                 rejects_ids={}, loads=loads, groups=())  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def settled(load_id: str, state: str = "DONE") -> Settlement:
    return Settlement(load=Load(load_id=load_id, dataset="d", key="d/k", version_id="v", state=state))  # type: ignore[arg-type]


def test_lag_counts_from_the_oldest_object_that_was_published() -> None:
    orders = ("2026-11-20T11:59:00.000000Z/d/k/000000", "2026-11-20T11:00:00.000000Z/d/k/000000")
    assert lag_seconds(claim(*orders), [settled("l0"), settled("l1")], NOW) == 3600
    assert lag_seconds(claim(*orders), [settled("l0"), settled("l1", "SUPERSEDED")], NOW) == 60
    assert lag_seconds(claim(*orders), [], NOW) is None


def test_warnings_count_rows_that_break_rules_and_objects_that_break_checks() -> None:
    check = ObjectCheck(
        name="rowCount", column=None, measure="rows", operator="mustBe", bounds=(9,), severity="warn"
    )  # fmt: skip
    summary = LoadSummary(
        load_id="l0", rows_read=1, rows_accepted=1, rows_rejected=0, rows_superseded=0,
        warnings=(RejectCount(column="a", rule="enum", rows=3),), measures=(Measure(check=0, value=1),),
    )  # fmt: skip
    group = GroupResult(group=0, engine="lambda", files=(), loads=(summary,), vanished=(), seconds=1)
    for plan, expected in (
        (replace(PLAN, checks=(check,)), 4),
        (replace(PLAN, checks=(replace(check, severity="stop"),)), 3),
    ):
        figures = figures_of(
            run(), claim=claim(plan=plan), settlements=[], groups=[group], publication=None, before=[], now=NOW
        )
        assert figures[metrics.WARNINGS] == expected


def test_volume_is_judged_against_the_median_in_both_directions_and_not_without_history() -> None:
    past = [run(fence, rows=rows) for fence, rows in enumerate((90, 100, 110, 100, 5000), start=1)]
    assert volume_ratio(run(rows=25), past) == 4
    assert volume_ratio(run(rows=400), past) == 4
    assert volume_ratio(run(rows=800, loads=8), past) == 1
    assert volume_ratio(run(rows=0), past) == 100
    assert volume_ratio(run(rows=25), past[:4]) is None


def test_budget_counts_this_month_only_and_stops_only_where_the_contract_says_so() -> None:
    runs = [run(3, usage=DOLLAR), run(2, usage=DOLLAR, started="2026-11-01T00:00:00"),
            run(1, usage=DOLLAR, started="2026-10-31T23:59:59")]  # fmt: skip
    assert spent_this_month(runs, NOW) == pytest.approx(2)
    stops = replace(PLAN, budget_usd=1.99, budget_action="stop")
    assert is_stopped(stops, runs, NOW)
    assert not is_stopped(replace(stops, budget_usd=2.01), runs, NOW)
    assert not is_stopped(replace(stops, budget_action="warn"), runs, NOW)
    assert not is_stopped(stops, runs, datetime(2026, 12, 1, tzinfo=UTC))


def test_a_run_is_told_with_its_account_its_cost_and_its_share_of_the_budget() -> None:
    made = run(counts=Counts(rows_read=100, rows_accepted=75, rows_rejected=25), usage=DOLLAR, seconds=5.0)
    figures = figures_of(
        made,
        claim=claim(plan=replace(PLAN, budget_usd=4.0)),
        settlements=[settled("l0"), settled("l1", "REFUSED")],
        groups=(),
        publication=Publication(snapshots={}, changed=True, attempts=5),
        before=[made, run(8, usage=DOLLAR)],
        now=NOW,
    )
    told = {metric.name: value for metric, value in figures.items()}
    assert told == pytest.approx({
        "FailedRuns": 0, "OverBudget": 0, "RunSeconds": 5, "Dollars": 1, "BudgetShare": 0.5, "RowsRead": 100,
        "RowsAccepted": 75, "RowsRejected": 25, "RowsSuperseded": 0, "ObjectsRefused": 0, "ObjectsHeldBack": 1,
        "Warnings": 0, "RejectShare": 0.25, "CommitAttempts": 5, "CommitConflicts": 3,
    })  # fmt: skip
    assert {metric.stage for metric in figures} == {"settle"}


def test_transitions_follow_the_state_machine() -> None:
    two = claim("o", groups=(Group(index=0, engine="lambda", loads=()), Group(index=1, engine="glue", loads=())))
    assert transitions(two, failed=False, failed_groups=0) == 11
    assert transitions(claim(), failed=False, failed_groups=0) == 5
    assert transitions(None, failed=True, failed_groups=0) == 3


def test_every_metric_has_a_name_of_its_own_within_its_stage() -> None:
    names = [(metric.stage, metric.name) for metric in metrics.METRICS]
    assert len(names) == len(set(names)) > 20
