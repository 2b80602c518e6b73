"""The promises of a contract about time and money: `slaProperties` latency and frequency, and the budget of a month.

Other service levels of the standard (availability, retention, support) are for people and have no effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from open_data_contract_standard.model import ServiceLevelAgreementProperty

from sluice.contract.custom import Custom
from sluice.contract.document import Document
from sluice.contract.plan import BudgetAction

# `m` is left out: the standard does not say whether it is a minute or a month.
_UNITS = {
    **dict.fromkeys(("s", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 86_400),
}
_LEVELS = {"latency": "latency", "ly": "latency", "frequency": "frequency", "fy": "frequency"}
_ACTIONS: dict[str, BudgetAction] = {"warn": "warn", "stop": "stop"}


def read_levels(
    levels: Sequence[ServiceLevelAgreementProperty] | None, *, dataset: str, document: Document
) -> tuple[int | None, int | None]:
    """Latency and frequency in seconds, None where the contract promises none.

    Latency: from an object's arrival to its rows in the table. Frequency: from one arrival of new data to the next.
    """
    found: dict[str, int] = {}
    for position, item in enumerate(levels or ()):
        here = document.at(f"slaProperties[{position}]")
        level = _LEVELS.get((item.property or "").lower())
        if level is None:
            continue
        if item.element not in {None, dataset}:
            raise here.error(
                f"the {level} of {item.element!r} is not watched", f"leave out element, or write {dataset}: all of it"
            )
        if level in found:
            raise here.error(f"the {level} stands twice", "keep one")
        unit = _UNITS.get((item.unit or "").lower())
        value = item.value
        if unit is None or isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value <= 0:
            raise here.error(
                f"the {level} is {value!r} {item.unit or ''}".rstrip(),
                "write a value above 0 and unit: s, min, h, d or w",
            )
        found[level] = int(value * unit)
    return found.get("latency"), found.get("frequency")


def read_budget(custom: Custom) -> tuple[float | None, BudgetAction]:
    """Dollars that runs of the dataset may cost in a calendar month (UTC), and the action when they are spent."""
    value = custom.values.get("budget")
    if value is None:
        return None, "warn"
    here = custom.source("budget")
    remedy = "write `budget: {monthlyUsd: 5, action: warn}`, action warn or stop"
    if not isinstance(value, dict) or not value.keys() <= {"monthlyUsd", "action"}:
        raise here.error(f"budget is {value!r}", remedy)
    usd, action = value.get("monthlyUsd"), _ACTIONS.get(str(value.get("action", "warn")))
    if action is None or isinstance(usd, bool) or not isinstance(usd, int | Decimal) or usd <= 0:
        raise here.error(f"budget is {value!r}", remedy)
    return float(usd), action
