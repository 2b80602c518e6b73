"""Objects that were read but must not be published: they break a rule or check that stops, or too many rows are bad.

Judged for each object by itself, so that it does not depend on what else a run happens to carry. Pure.
"""

from __future__ import annotations

from sluice.contract.plan import Plan
from sluice.kernel.judging.verdict import broken_checks
from sluice.kernel.outcome import LoadSummary, RejectCount


def warned(summary: LoadSummary, plan: Plan) -> tuple[RejectCount, ...]:
    """Return what the object breaks and only warns: rules with the rows that break them, checks of it with one each."""
    checks = (broken.check for broken in broken_checks(summary, plan) if broken.check.severity == "warn")
    return (*summary.warnings, *(RejectCount(column=check.column, rule=check.name, rows=1) for check in checks))


def held_back(summary: LoadSummary, plan: Plan) -> str | None:
    """Return why nothing of the object may be published, else None. Its rejects are kept all the same."""
    if summary.stops:
        broken = ", ".join(f"{stop.rule} of {stop.column}: {stop.rows} rows" for stop in summary.stops)
        return f"rows break rules that stop: {broken}"
    if stopping := [broken.sentence for broken in broken_checks(summary, plan) if broken.check.severity == "stop"]:
        return f"the object breaks checks that stop: {'; '.join(stopping)}"
    share, most = summary.rows_rejected / max(summary.rows_read, 1), plan.max_reject_share
    if most is not None and share > most:
        return f"{share:.2%} of {summary.rows_read} rows are rejects, the contract allows {most:.2%}"
    return None
