"""What became of every row, read back from ledger and tables. Judged in `proof.py`, told in `report.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.cli.target import Target
from sluice.ledger.model import Counts, Load, Run

if TYPE_CHECKING:
    import pyarrow as pa

    from sluice.contract.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Account:
    """One dataset at rest: loads and runs from the ledger, both tables as Arrow, the curated table's snapshot."""

    plan: Plan
    loads: tuple[Load, ...]
    runs: tuple[Run, ...]
    curated: pa.Table
    rejects: pa.Table
    snapshot_id: int | None

    @property
    def counts(self) -> Counts:
        """Rows over all loads."""
        return sum((load.counts for load in self.loads), Counts())

    @property
    def replaced(self) -> int:
        """Accepted rows that a newer version of their object has taken out of the table again."""
        if self.plan.mode == "merge":
            return 0
        groups = self.curated.group_by(["_sluice_object", "_sluice_version"]).aggregate([]).to_pylist()
        standing = {(group["_sluice_object"], group["_sluice_version"]) for group in groups}
        return sum(load.counts.rows_accepted for load in self.loads if (load.key, load.version_id) not in standing)

    @property
    def rejected(self) -> Mapping[tuple[str, str], int]:
        """Rejected records by (column, rule); whole objects that were refused are not records."""
        rows = self.rejects.select(["column", "rule", "ordinal", "row_number"]).to_pylist()
        return Counter(
            (row["column"] or "", row["rule"]) for row in rows if row["ordinal"] == 1 and row["row_number"] is not None
        )


def accounts(target: Target, plans: Iterable[Plan]) -> list[Account]:
    """Read the account of each dataset that has runs."""
    ledger, catalog = target.ledger(), target.catalog()
    found = []
    for plan in plans:
        runs = tuple(sorted(ledger.runs(plan.dataset), key=lambda run: run.fence))
        if not runs:
            continue
        curated = catalog.load_table((target.database, plan.dataset))
        snapshot = curated.current_snapshot()
        found.append(
            Account(
                plan=plan,
                loads=tuple(sorted(ledger.loads(plan.dataset), key=lambda load: (load.registered, load.key))),
                runs=runs,
                curated=curated.scan().to_arrow(),
                rejects=catalog.load_table((target.database, plan.rejects_table)).scan().to_arrow(),
                snapshot_id=snapshot.snapshot_id if snapshot else None,
            )
        )
    return found
