"""`transforms/<dataset>.sql`: one SELECT over `source` that says which rows are kept and what columns are computed.

It is taken apart at synth: each computed column becomes a derived column, as `transformLogic` would say it, and the
WHERE becomes a rule of the row. So a row keeps its number and its origin, and one that the SELECT leaves out is a
reject with a reason (docs/adr/0010-a-transform-is-taken-apart.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp

from sluice.contract.derive import MAX_LENGTH, checked_expression
from sluice.contract.model import Dataset, Position, Property
from sluice.contract.plan import Rule
from sluice.contract.queries import SOURCE

RULE = "transform"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A transform's SELECT: computed columns by name, names of columns taken as they are, the condition of WHERE."""

    computed: Mapping[str, str]
    taken: frozenset[str]
    everything: bool  # it says *
    condition: str | None
    source: Position


def read_selection(text: str, *, file: str) -> Selection:
    """Read a transform. Raises ContractError for a text that is no SELECT, or that could lose, double or mix rows."""
    source = Position(file)
    try:
        return _taken_apart(_one_select(text), source)
    except ValueError as error:
        raise source.error(
            str(error), f"write SELECT *, <expression> AS <column> FROM {SOURCE} WHERE <condition>"
        ) from error


def with_selection(dataset: Dataset, selection: Selection) -> Dataset:
    """The dataset with the columns that the transform computes. Raises ContractError where the two do not fit."""
    names = {item.name for item in dataset.properties}
    for name in (*selection.computed, *selection.taken):
        if name not in names:
            raise selection.source.error(
                f"it selects {name!r}, which is no property of the contract", "add the property"
            )
    return replace(
        dataset,
        properties=tuple(_computed(item, selection) for item in dataset.properties),
        condition=selection.condition,
        condition_source=selection.source,
    )


def condition_rule(dataset: Dataset, sources: frozenset[str]) -> Rule | None:
    """Return the rule `transform`: it rejects rows for which WHERE is false or cannot be evaluated."""
    if dataset.condition is None:
        return None
    try:
        written = checked_expression(dataset.condition, sources)
    except ValueError as error:
        raise (dataset.condition_source or dataset.source).error(
            f"WHERE: {error}", "write a condition over columns that come from the file"
        ) from error
    return Rule(
        name=RULE,
        column=None,
        predicate=f"coalesce(TRY(CAST({written} AS BOOLEAN)), false)",
        expected=f"a row that the transform keeps: {dataset.condition}",
    )


def _computed(item: Property, selection: Selection) -> Property:
    expression = selection.computed.get(item.name)
    if expression is None:
        if not (selection.everything or item.name in selection.taken or item.derived is not None):
            raise selection.source.error(
                f"it leaves out the column {item.name}", "select it, select *, or take the property out of the contract"
            )
        return item
    if item.derived is not None or item.physical_name is not None:
        raise item.source.error(
            f"property {item.name}: the transform computes it, and the contract has transformLogic or physicalName",
            "keep one of them",
        )
    return replace(item, derived=expression)


def _one_select(text: str) -> exp.Select:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH} characters")
    try:
        trees = [tree for tree in sqlglot.parse(text, read="duckdb") if tree is not None]
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise ValueError(f"it is no SQL: {str(error).splitlines()[0]}") from error
    if len(trees) != 1 or not isinstance(tree := trees[0], exp.Select):
        raise ValueError("it is not exactly one SELECT")
    for part, value in tree.args.items():
        if value and part not in {"expressions", "from", "from_", "where", "kind"}:
            raise ValueError(
                f"it has {part.upper().rstrip('_')}: a transform keeps rows or leaves them out, one by one"
            )
    table = tree.find(exp.From)
    if table is None or table.this.sql(dialect="duckdb").strip('"').lower() != SOURCE:
        raise ValueError(f"it does not read FROM {SOURCE}")
    return tree


def _taken_apart(tree: exp.Select, source: Position) -> Selection:
    computed: dict[str, str] = {}
    taken: set[str] = set()
    everything = False
    for item in tree.expressions:
        name = item.alias_or_name
        if isinstance(item, exp.Star):
            everything = not item.args.get("except") and not item.args.get("replace") and not item.args.get("except_")
            if not everything or item.args.get("rename"):
                raise ValueError("it has a * with exceptions: list the columns")
            continue
        inner = item.unalias()
        if name in computed or name in taken:
            raise ValueError(f"it selects {name!r} twice")
        if isinstance(inner, exp.Column) and inner.name == name and not inner.table:
            taken.add(name)
        elif isinstance(item, exp.Alias):
            computed[name] = inner.sql(dialect="duckdb", comments=False)
        else:
            raise ValueError(f"{item.sql(dialect='duckdb')!r} has no name: write AS <column>")
    where = tree.args.get("where")
    condition = where.this.sql(dialect="duckdb", comments=False) if where is not None else None
    return Selection(
        computed=computed, taken=frozenset(taken), everything=everything, condition=condition, source=source
    )
