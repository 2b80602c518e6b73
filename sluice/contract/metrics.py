"""The metrics of quality checks, one entry each: its places in a contract, its arguments, the kernel's measure.

`rules` has the predicates of metrics that judge row by row, `kernel/judging/quality` the counting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never, get_args

from sluice.contract.model import CheckKind
from sluice.contract.plan import Measured


@dataclass(frozen=True, kw_only=True)
class MetricFacts:
    """The facts about one kind of check."""

    measure: Measured
    of_object: bool  # it may stand at the schema object
    of_property: bool
    arguments: frozenset[str] = frozenset()

    @property
    def is_by_row(self) -> bool:
        """True if each row breaks the check or does not, independently of other rows."""
        return self.measure == "break"

    @property
    def has_percent(self) -> bool:
        """True if a limit may be a share of the rows."""
        return self.measure in {"break", "repeat"}


def metric(kind: CheckKind) -> MetricFacts:
    """Return the facts about a kind of check."""
    match kind:
        case "rowCount":
            return MetricFacts(measure="rows", of_object=True, of_property=False)
        case "nullValues":
            return MetricFacts(measure="break", of_object=False, of_property=True)
        case "missingValues":
            return MetricFacts(
                measure="break", of_object=False, of_property=True, arguments=frozenset({"missingValues"})
            )
        case "invalidValues":
            arguments = frozenset({"validValues", "pattern"})
            return MetricFacts(measure="break", of_object=False, of_property=True, arguments=arguments)
        case "duplicateValues":
            return MetricFacts(measure="repeat", of_object=True, of_property=True, arguments=frozenset({"properties"}))
        case "sql":
            return MetricFacts(measure="query", of_object=True, of_property=True)
        case _:
            assert_never(kind)


LIBRARY: tuple[CheckKind, ...] = tuple(kind for kind in get_args(CheckKind) if kind != "sql")  # the standard's metrics
