"""Service levels and budgets in a contract: what they become in the plan, and which are refused with a remedy."""

from __future__ import annotations

import pytest

from sluice.contract.compile import compile_plan
from sluice.contract.odcs import parse
from sluice.contract.plan import Plan
from sluice.errors import ContractError

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
slaProperties: [%s]
schema:
  - name: t
    customProperties: [{property: sluice, value: {%s}}]
    properties: [{name: a, logicalType: string}]
"""


def plan(levels: str = "", options: str = "mode: append") -> Plan:
    return compile_plan(parse(CONTRACT % (levels, options), file="t.odcs.yaml"))


def test_latency_and_frequency_become_seconds_and_other_levels_are_for_people() -> None:
    made = plan("{property: latency, value: 15, unit: min}, {property: fy, value: 1.5, unit: d, element: t}, "
                "{property: retention, value: 3, unit: y}")  # fmt: skip
    assert (made.latency_seconds, made.frequency_seconds) == (900, 129_600)
    assert (plan().latency_seconds, plan().frequency_seconds) == (None, None)
    assert Plan.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    "level",
    ["value: 5", "value: 5, unit: m", "value: 0, unit: h", "value: soon, unit: h", "value: 5, unit: h, element: t.a"],
)
def test_a_level_that_nobody_could_watch_is_refused(level: str) -> None:
    with pytest.raises(ContractError) as refused:
        plan(f"{{property: latency, {level}}}")
    assert refused.value.remedy
    assert refused.value.place.startswith("slaProperties[0]")


def test_a_budget_warns_unless_it_says_stop() -> None:
    assert (plan().budget_usd, plan().budget_action) == (None, "warn")
    assert plan(options="budget: {monthlyUsd: 2.5}").budget_usd == 2.5
    stops = plan(options="budget: {monthlyUsd: 5, action: stop}")
    assert (stops.budget_usd, stops.budget_action) == (5.0, "stop")


@pytest.mark.parametrize("budget", ["5", "{monthlyUsd: 0}", "{monthlyUsd: 5, action: kill}", "{usd: 5}", "{}"])
def test_a_budget_that_says_nothing_clear_is_refused(budget: str) -> None:
    with pytest.raises(ContractError, match="budget is") as refused:
        plan(options=f"budget: {budget}")
    assert "monthlyUsd" in refused.value.remedy
