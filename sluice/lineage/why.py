"""Why a curated row is as it is: the record that it came from, the load and run, rules, expressions, other versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.contract.plan import PROVENANCE, Plan
from sluice.errors import ContractError
from sluice.ledger.model import Load, Run
from sluice.lineage.sources import Row, Sources, literal_of

_MOST_ROWS = 20


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A column that the contract computes: its expression in DuckDB SQL."""

    column: str
    expression: str


@dataclass(frozen=True, kw_only=True)
class RowStory:
    """One curated row and all that made it.

    `raw` is the record as it stands in its object, None where it cannot be shown. `load` and `run` are None where the
    ledger has forgotten them. `delivered_again` lists the other versions of the same object, oldest first.
    """

    dataset: str
    values: Row
    key: str
    version_id: str
    record: int
    contract: str
    raw: str | None
    load: Load | None
    run: Run | None
    rules: tuple[str, ...]
    derived: tuple[Derived, ...]
    delivered_again: tuple[Row, ...]
    marts: tuple[str, ...]


def why(sources: Sources, dataset: str, *, key: Mapping[str, str] | None = None, where: str = "") -> Sequence[RowStory]:
    """Tell the story of each curated row with these values, at most 20 of them.

    Args:
        sources: The deployment.
        dataset: The dataset whose table holds the rows.
        key: Values of columns as a person types them: `{"order_id": "17"}`.
        where: A condition in Athena's SQL, in place of `key` or beside it.

    Raises:
        ContractError: The dataset or a column is not there.
    """
    plan = plan_of(sources, dataset)
    if not sources.exists(dataset):
        return []
    rows = sources.ask(f'SELECT * FROM "{dataset}" WHERE {condition(plan, key or {}, where)} LIMIT {_MOST_ROWS}')
    return [_story(sources, plan, row) for row in rows]


def condition(plan: Plan, key: Mapping[str, str], where: str) -> str:
    """Return the condition that a person asked for. Raises ContractError where a column is not there."""
    kinds = {column.name: column.type for column in plan.columns} | dict(PROVENANCE)
    parts = []
    for name, value in key.items():
        if name not in kinds:
            raise ContractError(
                f"{plan.dataset} has no column {name!r}", file=f"contracts/{plan.dataset}.odcs.yaml",
                remedy="one of " + ", ".join(kinds),
            )  # fmt: skip
        parts.append(f'"{name}" = {literal_of(value, kinds[name])}')
    return " AND ".join([*parts, *([f"({where})"] if where else [])]) or "true"


def plan_of(sources: Sources, dataset: str) -> Plan:
    """Return the plan of a dataset. Raises ContractError where there is none."""
    if dataset not in sources.plans:
        raise ContractError(
            f"there is no dataset {dataset!r}", file="contracts", remedy="one of " + ", ".join(sources.plans)
        )
    return sources.plans[dataset]


def _story(sources: Sources, plan: Plan, row: Row) -> RowStory:
    provenance = {name: row[name] for name, _ in PROVENANCE}
    key, version_id, record = provenance["_sluice_object"], provenance["_sluice_version"], provenance["_sluice_row"]
    fence = str(provenance["_sluice_run"]).rpartition("-")[2]
    return RowStory(
        dataset=plan.dataset,
        values={name: value for name, value in row.items() if name not in provenance},
        key=str(key),
        version_id=str(version_id),
        record=int(record),
        contract=str(provenance["_sluice_contract"]),
        raw=sources.raw_text(plan, key=str(key), version_id=str(version_id), record=int(record)),
        load=sources.ledger.find(plan.dataset, str(provenance["_sluice_load"])),
        run=sources.ledger.run(plan.dataset, int(fence)) if fence.isdecimal() else None,
        rules=tuple(f"{rule.name}({rule.column})" if rule.column else rule.name for rule in plan.rules),
        derived=tuple(Derived(column=c.name, expression=c.cast) for c in plan.columns if c.source is None),
        delivered_again=_others(sources, str(key), str(version_id)),
        marts=tuple(mart.name for mart in sources.marts if plan.dataset in mart.sources),
    )


def _others(sources: Sources, key: str, version_id: str) -> tuple[Row, ...]:
    pages = sources.s3.get_paginator("list_object_versions").paginate(Bucket=sources.raw_bucket, Prefix=key)
    versions = [item for page in pages for item in page.get("Versions", []) if item["Key"] == key]
    return tuple(
        {"version_id": item["VersionId"], "delivered": item["LastModified"].isoformat(), "bytes": item["Size"]}
        for item in reversed(versions)
        if item["VersionId"] != version_id
    )


def as_document(story: RowStory) -> Mapping[str, object]:
    """Return a story as plain data for JSON."""
    plain: Mapping[str, object] = json.loads(json.dumps(_plain(story), default=str))
    return plain


def _plain(value: object) -> object:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
