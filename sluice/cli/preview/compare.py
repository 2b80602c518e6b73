"""Two states of a project compared: which datasets and marts change, how, and whom it breaks. No files, no rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.contract.evolution import Change, compare
from sluice.contract.plan import Plan
from sluice.warehouse.mart import Mart
from sluice.warehouse.order import downstream


@dataclass(frozen=True, kw_only=True)
class State:
    """A project's plans and marts. `fault` says why marts do not compile against the plans; there are none then."""

    plans: Mapping[str, Plan]
    marts: Sequence[Mart]
    fault: str | None = None


@dataclass(frozen=True, kw_only=True)
class DatasetChange:
    """What becomes of one dataset. `old` is None where it is new, `new` where it is gone."""

    name: str
    old: Plan | None
    new: Plan | None
    changes: Sequence[Change]

    @property
    def breaks_readers(self) -> bool:
        """Whether a query of today may fail or mean something else."""
        return self.new is None or any(change.breaks_readers for change in self.changes)

    @property
    def needs_backfill(self) -> bool:
        """Whether rows of today may come out otherwise."""
        return any(change.needs_backfill for change in self.changes)

    @property
    def keeps_its_version(self) -> bool:
        """Whether rows of two meanings would carry one contract version."""
        return (
            bool(self.changes)
            and self.old is not None
            and self.new is not None
            and self.old.version == self.new.version
        )


@dataclass(frozen=True, kw_only=True)
class MartChange:
    """What becomes of one mart: `new`, `gone`, `changed` (its SELECT or header) or `refreshed` (what it reads)."""

    name: str
    how: str
    columns_gone: tuple[str, ...] = ()
    columns_retyped: tuple[str, ...] = ()

    @property
    def breaks_readers(self) -> bool:
        """Whether a query of today may fail."""
        return self.how == "gone" or bool(self.columns_gone or self.columns_retyped)


def dataset_changes(old: State, new: State) -> Sequence[DatasetChange]:
    """List the datasets that change, by name."""
    made: list[DatasetChange] = []
    for name in sorted({*old.plans, *new.plans}):
        before, after = old.plans.get(name), new.plans.get(name)
        changes = compare(before, after) if before and after else ()
        if changes or before is None or after is None:
            made.append(DatasetChange(name=name, old=before, new=after, changes=changes))
    return made


def mart_changes(old: State, new: State, datasets: Sequence[DatasetChange]) -> Sequence[MartChange]:
    """List the marts that change themselves, or that read what changes, in the order of their refresh."""
    before, after = ({mart.name: mart for mart in state.marts} for state in (old, new))
    read = {mart.name for dataset in datasets for mart in downstream(new.marts, dataset.name)}
    made: list[MartChange] = []
    for name, mart in after.items():
        was = before.get(name)
        if was is None:
            made.append(MartChange(name=name, how="new"))
        elif was.digest != mart.digest:
            types = dict(mart.columns)
            gone = tuple(column for column, _ in was.columns if column not in types)
            retyped = tuple(column for column, kind in was.columns if types.get(column, kind) != kind)
            made.append(MartChange(name=name, how="changed", columns_gone=gone, columns_retyped=retyped))
        elif name in read:
            made.append(MartChange(name=name, how="refreshed"))
    gone_marts = [] if new.fault else [name for name in before if name not in after]
    return [*made, *(MartChange(name=name, how="gone") for name in gone_marts)]
