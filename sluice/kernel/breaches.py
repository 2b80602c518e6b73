"""What rejected rows break, with the first of them by line: from the files of rejects that a kernel call wrote.

For people at a terminal; the pipeline publishes the same rows as the rejects table. Protected values are not in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sluice.contract.plan import Plan
from sluice.contract.sql import literal
from sluice.kernel.outcome import Limits, Outcome, SourceFile
from sluice.kernel.readers.lines import record_lines
from sluice.kernel.session import session


@dataclass(frozen=True, kw_only=True)
class Example:
    """One rejected row. `row` counts the records of its source, `line` is where it begins (None without lines)."""

    load_id: str
    row: int
    line: int | None
    value: str | None
    reason: str

    @property
    def place(self) -> str:
        """`line 245`, or `record 12`."""
        return f"line {self.line:,}" if self.line else f"record {self.row:,}"


@dataclass(frozen=True, kw_only=True)
class Breach:
    """The rows of which a rule of a column (None: the record) is the first that they break."""

    column: str | None
    rule: str
    rows: int
    examples: Sequence[Example]


def find_breaches(
    outcome: Outcome, sources: Sequence[SourceFile], plan: Plan, *, folder: Path, limits: Limits, most: int
) -> Sequence[Breach]:
    """Return what the rejected rows of an outcome break, the most frequent first, with up to `most` rows each."""
    files = [file.path for file in outcome.files if file.kind == "rejects"]
    if not files:
        return ()
    listed = ", ".join(literal(str(path)) for path in files)
    query = f"""
    SELECT "column", rule, count(*) OVER same, load_id, row_number, value, reason
    FROM read_parquet([{listed}], hive_partitioning = false)
    WHERE ordinal = 1 AND row_number IS NOT NULL
    WINDOW same AS (PARTITION BY "column", rule)
    QUALIFY row_number() OVER (PARTITION BY "column", rule ORDER BY object_order, row_number) <= {most}
    ORDER BY 3 DESC, 1, 2, object_order, row_number"""
    with session(limits=limits, scratch=folder / "scratch", directories={path.parent for path in files}) as connection:
        found = connection.execute(query).fetchall()
    breaches: dict[tuple[str | None, str], Breach] = {}
    for column, rule, rows, load_id, row, value, reason in found:
        before = breaches.get((column, rule), Breach(column=column, rule=rule, rows=rows, examples=()))
        example = Example(load_id=load_id, row=row, line=None, value=value, reason=reason)
        breaches[column, rule] = replace(before, examples=(*before.examples, example))
    return _placed(list(breaches.values()), sources, plan, folder=folder, limits=limits)


def refusals(outcome: Outcome, *, folder: Path, limits: Limits) -> Mapping[str, str]:
    """Return why whole sources were refused, in the words of the rejects table, by load id."""
    files = [file.path for file in outcome.files if file.kind == "rejects"]
    if not files:
        return {}
    listed = ", ".join(literal(str(path)) for path in files)
    query = f"SELECT load_id, rule || ': ' || reason FROM read_parquet([{listed}], hive_partitioning = false) "
    with session(limits=limits, scratch=folder / "scratch", directories={path.parent for path in files}) as connection:
        return dict(connection.execute(f"{query} WHERE row_number IS NULL").fetchall())


def _placed(
    breaches: Sequence[Breach], sources: Sequence[SourceFile], plan: Plan, *, folder: Path, limits: Limits
) -> Sequence[Breach]:
    """The breaches with the lines of their examples."""
    rows: dict[str, set[int]] = defaultdict(set)
    for breach in breaches:
        for example in breach.examples:
            rows[example.load_id].add(example.row)
    lines = {
        source.load_id: record_lines(
            source, plan, rows[source.load_id], scratch=folder / f"lines-{number}", limits=limits
        )
        for number, source in enumerate(sources)
        if rows[source.load_id]
    }
    return [
        replace(
            breach,
            examples=[replace(example, line=lines[example.load_id].get(example.row)) for example in breach.examples],
        )
        for breach in breaches
    ]
