"""The order in which marts can be refreshed, and which of them a changed table concerns. No SQL is read here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Protocol, TypeVar

from sluice.errors import ContractError


class Reader(Protocol):
    """A mart, compiled or on its way there: a name, and the tables and marts that it reads."""

    @property
    def name(self) -> str:
        """The mart's name."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Tables and marts that it reads."""


R = TypeVar("R", bound=Reader)


def in_dependency_order(marts: Iterable[R]) -> Sequence[R]:
    """Each mart after the marts that it reads, otherwise by name. Raises ContractError that names a cycle."""
    by_name = {mart.name: mart for mart in sorted(marts, key=lambda mart: mart.name)}
    sorter = TopologicalSorter({name: [s for s in mart.sources if s in by_name] for name, mart in by_name.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib lists the cycle against the reading direction: each entry is read by the next.
        circle = list(reversed(error.args[1]))
        raise ContractError(
            "marts read each other in a circle: " + " reads ".join(circle),
            file=f"marts/{circle[0]}.sql",
            remedy="let one of them read the tables instead",
        ) from error
    ordered: list[R] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += [by_name[name] for name in ready]
        sorter.done(*ready)
    return tuple(ordered)


def downstream(marts: Sequence[R], table: str | None) -> Sequence[R]:
    """Of marts in dependency order, those that read `table`, directly or through others; all of them for None."""
    if table is None:
        return tuple(marts)
    changed = {table}
    concerned = []
    for mart in marts:
        if changed.intersection(mart.sources):
            changed.add(mart.name)
            concerned.append(mart)
    return tuple(concerned)
