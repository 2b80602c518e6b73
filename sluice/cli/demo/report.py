"""The demo's account: in plain words for people, as one object for machines. Nothing is computed here but sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sluice.cli.demo.account import Account
from sluice.cli.demo.proof import Assertion
from sluice.cli.frames import records
from sluice.cli.screen import show, table
from sluice.ledger.model import Counts
from sluice.prices import READ_ON, REGION, Usage, dollars

if TYPE_CHECKING:
    import pandas as pd

_MART_ROWS = 3
_MART_COLUMNS = 8


@dataclass(frozen=True, kw_only=True)
class Story:
    """Everything that the demo found out."""

    accounts: Mapping[str, Account]
    marts: Mapping[str, pd.DataFrame]
    checks: tuple[Assertion, ...]
    work: Usage
    calls: int
    deploy_seconds: float
    load_seconds: float
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether every claim holds."""
        return all(check.holds for check in self.checks)


def document(story: Story) -> dict[str, Any]:
    """Tell the story to machines."""
    spent = dollars(story.work)
    return {
        "ok": story.holds,
        "seconds": round(story.seconds, 1),
        "deploy_seconds": round(story.deploy_seconds, 1),
        "load_seconds": round(story.load_seconds, 1),
        "datasets": {name: _dataset(account) for name, account in story.accounts.items()},
        "marts": {name: len(frame) for name, frame in story.marts.items()},
        "checks": [asdict(check) for check in story.checks],
        "calls": {"all": story.calls, "by_service": _by_service(story.work)},
        "dollars": {"all": round(sum(spent.values()), 6), **{name: round(value, 6) for name, value in spent.items()}},
        "prices": {"read_on": READ_ON, "region": REGION},
    }


def tell(story: Story) -> None:
    """Tell the story to people."""
    total = sum((account.counts for account in story.accounts.values()), Counts())
    replaced = sum(account.replaced for account in story.accounts.values())
    refused = [load for account in story.accounts.values() for load in account.loads if load.state == "REFUSED"]
    curated = sum(account.curated.num_rows for account in story.accounts.values())
    show(
        f"\n[bold]What happened to {total.rows_read:,} rows[/]\n"
        f"{total.rows_accepted:,} were accepted, {total.rows_rejected:,} were rejected and kept with their reasons, "
        f"{total.rows_superseded:,} were superseded by newer rows of their keys.\n"
        f"Of the accepted rows, {replaced:,} left their table again when February was sent a second time, corrected; "
        f"{curated:,} are in the tables.\n"
        + "".join(f"{load.key} was refused as a whole: {load.reason}.\n" for load in refused)
    )
    _tell_datasets(story)
    _tell_rejects(story)
    _tell_marts(story)
    marks = [("[green]holds[/]" if check.holds else "[bold red]FAILS[/]") for check in story.checks]
    show("[bold]What was checked[/]")
    for mark, check in zip(marks, story.checks, strict=True):
        show(f"  {mark}  {check.claim}: {check.found}".replace("[]", r"\[]"))
    _tell_cost(story)


def _tell_datasets(story: Story) -> None:
    columns = ("dataset", "mode", "loads", "read", "accepted", "rejected", "replaced", "in the table", "snapshot")
    rows = [
        (
            name,
            account.plan.mode,
            len(account.loads),
            account.counts.rows_read,
            account.counts.rows_accepted,
            account.counts.rows_rejected,
            account.replaced,
            account.curated.num_rows,
            str(account.snapshot_id),
        )
        for name, account in story.accounts.items()
    ]
    show(table("Datasets", columns, rows, numbers=columns[2:8]))
    runs = [
        (run.run_id, run.state, ", ".join(run.engines), run.loads, run.counts.rows_read, run.seconds)
        for account in story.accounts.values()
        for run in account.runs
    ]
    names = ("run", "state", "engine", "loads", "read", "seconds")
    show(table("Runs", names, runs, numbers=names[3:]))


def _tell_rejects(story: Story) -> None:
    samples: dict[tuple[str, str, str], tuple[object, ...]] = {}
    rows: Counter[tuple[str, str, str]] = Counter()
    for account in story.accounts.values():
        for reject in sorted(account.rejects.to_pylist(), key=lambda row: row["row_number"] or 0):
            if reject["ordinal"] != 1:
                continue
            group = (reject["object"], reject["column"] or "", reject["rule"])
            rows[group] += 1
            samples.setdefault(group, (reject["row_number"], reject["reason"]))
    shown: list[tuple[object, ...]] = [(*group, count, *samples[group]) for group, count in rows.items()]
    if shown:
        columns = ("object", "column", "rule", "records", "first", "its reason")
        show(table("Rejects", columns, shown, numbers=("records", "first")))


def _tell_marts(story: Story) -> None:
    for name, frame in story.marts.items():
        ordered = frame.sort_values("flights", ascending=False, kind="stable") if "flights" in frame else frame
        few = ordered.iloc[:_MART_ROWS, :_MART_COLUMNS]
        rows = [tuple(row.values()) for row in records(few)]
        numbers = [name for name, value in zip(few.columns, rows[0] if rows else (), strict=False) if _is_number(value)]
        show(
            table(f"Mart {name}: {len(frame):,} rows, the busiest {len(few)}", list(few.columns), rows, numbers=numbers)
        )


def _tell_cost(story: Story) -> None:
    spent = dollars(story.work)
    services = ", ".join(f"{service} {count:,}" for service, count in _by_service(story.work).items())
    parts = ", ".join(f"{service} ${value:.4f}" for service, value in spent.items() if value >= 0.00005)  # noqa: PLR2004
    show(
        f"\n[bold]What it took[/]\n{story.seconds:.0f} seconds: {story.deploy_seconds:.0f} to synthesize and deploy, "
        f"{story.load_seconds:.0f} to load and refresh, the rest to read back and check.\n"
        f"{story.calls:,} calls; by the pipeline: {services}; {story.work.transitions:,} state transitions, "
        f"{story.work.requests:,} Lambda invocations.\n"
        f"On AWS about ${sum(spent.values()):.3f} ({parts}), estimated from these counts and the seconds measured here "
        f"at list prices of {REGION}, {READ_ON}."
    )


def _dataset(account: Account) -> dict[str, Any]:
    return {
        "mode": account.plan.mode,
        "loads": Counter(load.state for load in account.loads),
        **vars(account.counts),
        "rejects": [
            {"column": column or None, "rule": rule, "rows": rows} for (column, rule), rows in account.rejected.items()
        ],
        "rows_replaced": account.replaced,
        "curated_rows": account.curated.num_rows,
        "runs": [
            {
                "run_id": run.run_id,
                "state": run.state,
                "engines": run.engines,
                "loads": run.loads,
                "seconds": run.seconds,
                "usage": asdict(run.usage),
            }
            for run in account.runs
        ],
        "snapshot_id": account.snapshot_id,
    }


def _by_service(work: Usage) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name, calls in work.calls.items():
        counts[name.partition(".")[0]] += calls
    return dict(counts.most_common())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
