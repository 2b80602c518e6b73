"""The properties of a table that Sluice writes. Glue repeats them with the table's entry, so that the fence
can be had by one call and without Iceberg (which is why nothing here imports it).

They change in the commits that they describe, and only there: `publish.py`, `edits.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.state import checked

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient

FENCE, RUN, SNAPSHOT = "sluice.fence", "sluice.run", "sluice.snapshot"
ORDER = "sluice.order"  # of the object that a `replace` table shows
FORMAT = "sluice.format"  # of these properties: `sluice.state`
GENERATION = "sluice.generation"  # of the rebuild that all its rows went through; absent before the first


@dataclass(frozen=True, kw_only=True)
class TableState:
    """Where a dataset's tables stand: the largest fence of both, and of the curated one what else it says."""

    fence: int = 0
    order: str = ""
    generation: int = 0


def table_state(curated: Mapping[str, str], rejects: Mapping[str, str]) -> TableState:
    """Read how a dataset stands from the properties of its two tables; none for a table that is not there.

    Raises NewerStateError for tables that a newer release wrote.
    """
    for properties in (curated, rejects):
        must_know(properties)
    return TableState(
        fence=max(int(properties.get(FENCE, 0)) for properties in (curated, rejects)),
        order=curated.get(ORDER, ""),
        generation=int(curated.get(GENERATION, 0)),
    )


def must_know(properties: Mapping[str, str]) -> None:
    """Raise NewerStateError if a newer release wrote the table with these properties."""
    checked("table", properties.get(FORMAT, 1), what=f"a table (run {properties.get(RUN, 'unknown')})")


def properties_in_glue(glue: GlueClient, *, database: str, table: str) -> Mapping[str, str]:
    """Read the properties that Glue repeats; none where there is no such table."""
    try:
        return glue.get_table(DatabaseName=database, Name=table)["Table"].get("Parameters", {})
    except glue.exceptions.EntityNotFoundException:
        return {}
