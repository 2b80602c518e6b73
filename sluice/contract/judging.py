"""Judgements over many rows of one object: unique values, and checks of the object as a whole.

A check that counts rows and allows none is no such check: each row is judged by itself (`rules`), or is a reject where
it repeats an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from sluice.contract.metrics import metric
from sluice.contract.model import Dataset, QualityCheck
from sluice.contract.plan import ObjectCheck, Unique
from sluice.contract.queries import checked_query
from sluice.contract.rules import check_rule


def uniques(dataset: Dataset, key: tuple[str, ...]) -> Iterator[Unique]:
    """Yield the unique columns beside the primary key."""
    for item in dataset.properties:
        if item.unique and (item.name,) != key:
            yield Unique(name="unique", columns=(item.name,))
    for check in _checks(dataset):
        if metric(check.kind).measure == "repeat" and check.limit.is_none:
            _must_exist(check, dataset)
            if sorted(check.columns) != sorted(key) and check.severity == "reject":
                yield Unique(name="duplicateValues", columns=check.columns)


def object_checks(dataset: Dataset, kinds: Mapping[str, str]) -> Iterator[ObjectCheck]:
    """The checks that only an object as a whole can break. `kinds` are the columns' Iceberg types."""
    key = sorted(item.name for item in dataset.properties if item.key_position is not None)
    for check in _checks(dataset):
        _must_exist(check, dataset)
        counted = metric(check.kind)
        if counted.is_by_row and check.limit.is_none:
            continue  # a rule
        rejects = check.severity == "reject" or sorted(check.columns) == key  # or what the key says already
        if counted.measure == "repeat" and check.limit.is_none and rejects:
            continue
        yield ObjectCheck(
            name=check.name or check.kind,
            column=check.column,
            measure=counted.measure,
            operator=check.limit.operator,
            bounds=check.limit.bounds,
            percent=check.limit.percent,
            sql=_sql(check, dataset, kinds),
            columns=check.columns,
            severity="warn" if check.severity == "warn" else "stop",
        )


def _checks(dataset: Dataset) -> tuple[QualityCheck, ...]:
    return (*dataset.checks, *(check for item in dataset.properties for check in item.checks))


def _must_exist(check: QualityCheck, dataset: Dataset) -> None:
    names = {item.name for item in dataset.properties}
    for name in check.columns:
        if name not in names:
            raise check.source.error(f"duplicateValues names the property {name!r}", "name properties of the object")


def _sql(check: QualityCheck, dataset: Dataset, kinds: Mapping[str, str]) -> str:
    measure = metric(check.kind).measure
    match measure:
        case "rows" | "repeat":
            return ""
        case "break":
            item = next(item for item in dataset.properties if item.name == check.column)
            return check_rule(item, kinds[item.name], check).predicate
        case "query":
            return _query(check, dataset, frozenset(kinds))
        case _:
            assert_never(measure)


def _query(check: QualityCheck, dataset: Dataset, columns: frozenset[str]) -> str:
    try:
        return checked_query(check.query, tables=frozenset({dataset.name}), columns=columns, column=check.column)
    except ValueError as error:
        raise check.source.error(
            f"query: {error}", "write one SELECT of one number over ${object}, such as SELECT count(*) FROM ${object}"
        ) from error
