"""What a number that was measured means for a check of an object. Pure, and without DuckDB: settle judges too."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.contract.plan import ObjectCheck, Plan
from sluice.kernel.outcome import LoadSummary


@dataclass(frozen=True, kw_only=True)
class BrokenCheck:
    """A check that an object breaks, in words."""

    check: ObjectCheck
    sentence: str


def broken_checks(summary: LoadSummary, plan: Plan) -> tuple[BrokenCheck, ...]:
    """Return the checks of the plan that the object breaks, in their order. What could not be computed is broken."""
    return tuple(
        BrokenCheck(check=check, sentence=_sentence(check, value, summary.rows_accepted))
        for check, value in ((plan.checks[measure.check], measure.value) for measure in summary.measures)
        if value is None or not _holds(check, _compared(check, value, summary.rows_accepted))
    )


def _compared(check: ObjectCheck, value: float, rows: int) -> float:
    return 100 * value / max(rows, 1) if check.percent else value


def _holds(check: ObjectCheck, value: float) -> bool:
    first, last = check.bounds[0], check.bounds[-1]
    return {
        "mustBe": value == first,
        "mustNotBe": value != first,
        "mustBeGreaterThan": value > first,
        "mustBeGreaterOrEqualTo": value >= first,
        "mustBeLessThan": value < first,
        "mustBeLessOrEqualTo": value <= first,
        "mustBeBetween": first <= value <= last,
        "mustNotBeBetween": not first <= value <= last,
    }[check.operator]


def _sentence(check: ObjectCheck, value: float | None, rows: int) -> str:
    what = (
        f"{check.name} of {check.column or ', '.join(check.columns)}" if check.column or check.columns else check.name
    )
    unit = " percent" if check.percent else ""
    bounds = " and ".join(map(str, check.bounds))
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in check.operator)
    found = "nothing that can be computed" if value is None else f"{_compared(check, value, rows):g}{unit}"
    return f"{what} {words} {bounds}{unit}, got {found}"
