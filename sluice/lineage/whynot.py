"""Why a row or a file is *not* in its table: rejected, refused, waiting, given up, replaced, deleted, passed over."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sluice.contract.keys import nearest, passed_over
from sluice.contract.plan import Plan
from sluice.ledger.model import Load
from sluice.lineage.sources import Row, Sources
from sluice.lineage.why import plan_of

Fate = Literal[
    "rejected", "refused", "waiting", "given up", "superseded", "retracted", "deleted", "replaced", "passed over",
    "never delivered", "loaded",
]  # fmt: skip

_MOST_REJECTS = 1000


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One reason. `key` is the object's, `record` the number of the record in it; `detail` says why, in words."""

    fate: Fate
    detail: str
    key: str = ""
    version_id: str = ""
    record: int | None = None


def why_not_rows(sources: Sources, dataset: str, *, key: Mapping[str, str]) -> Sequence[Reason]:
    """Say what became of records with these values: rejected ones with their rule, and files that may hold them.

    A rejected record counts where each value stands in one of its cells. Raises ContractError for an unknown dataset.
    """
    plan = plan_of(sources, dataset)
    found = list(_rejected(sources, plan, key)) if sources.exists(plan.rejects_table) else []
    return [*found, *(reason for reason in _loads(sources, plan) if reason.fate != "loaded")]


def why_not_object(sources: Sources, key: str) -> Sequence[Reason]:
    """Say what became of an object, given its key in the raw bucket: a reason for each load of it, newest last."""
    dataset = key.partition("/")[0]
    if dataset not in sources.plans:
        hint = nearest(dataset, list(sources.plans))
        meant = f"; {hint} is the nearest name" if hint else ""
        return [Reason(fate="passed over", key=key, detail=f"no dataset is called {dataset!r}{meant}")]
    plan = sources.plans[dataset]
    if (rule := passed_over(plan, key)) is not None:
        return [Reason(fate="passed over", key=key, detail=rule)]
    versions, deleted = _versions(sources, key)
    if not versions and not deleted:
        return [Reason(fate="never delivered", key=key, detail="the raw bucket has no version of this key")]
    found = list(_loads(sources, plan, key=key))
    known = {reason.version_id for reason in found}
    lost = "no load is open yet: its event is under way or lost; the reconciler finds it"
    waiting = (version for version in versions if version not in known)
    found += [Reason(fate="waiting", key=key, version_id=version, detail=lost) for version in waiting]
    if deleted:
        said = f"the object was deleted; on delete, the contract says {plan.on_delete}"
        found.append(Reason(fate="deleted", key=key, detail=said))
    return found


def _versions(sources: Sources, key: str) -> tuple[Sequence[str], bool]:
    pages = list(sources.s3.get_paginator("list_object_versions").paginate(Bucket=sources.raw_bucket, Prefix=key))
    versions = [item["VersionId"] for page in pages for item in page.get("Versions", []) if item["Key"] == key]
    markers = [item for page in pages for item in page.get("DeleteMarkers", []) if item["Key"] == key]
    return versions, any(marker["IsLatest"] for marker in markers)


def _loads(sources: Sources, plan: Plan, *, key: str | None = None) -> Iterable[Reason]:
    loads = sorted(sources.ledger.loads(plan.dataset), key=lambda load: load.registered)
    # The last load that counts: of each object, or of all where the table shows its newest object only.
    counts = {"" if plan.mode == "replace" else load.key: load for load in loads if load.state == "DONE"}
    for load in loads:
        if key is None or load.key == key:
            last = counts.get("" if plan.mode == "replace" else load.key)
            yield _of_load(plan, load, is_newest=last is load)


def _of_load(plan: Plan, load: Load, *, is_newest: bool) -> Reason:
    counts = load.counts
    said: dict[str, tuple[Fate, str]] = {
        "PENDING": ("waiting", f"it waits for a run; {load.attempts} runs have tried"),
        "REFUSED": ("refused", load.reason or "the object cannot be read"),
        "SUPERSEDED": ("superseded", "a newer version or delivery of the object counts"),
        "RETRACTED": ("retracted", "the object was deleted, and its rows with it"),
        "PARKED": ("given up", load.reason or f"{load.attempts} runs failed; `sluice replay` tries again"),
    }
    if load.state in said:
        fate, detail = said[load.state]
    elif plan.mode != "merge" and not is_newest:
        fate, detail = "replaced", "a newer version, or in a replace table a newer object, took the place of its rows"
    else:
        fate = "loaded"
        accepted = f"{counts.rows_accepted:,} rows accepted, {counts.rows_rejected:,} rejected"
        detail = f"{accepted}, {counts.rows_superseded:,} superseded by newer rows of their keys"
    return Reason(fate=fate, detail=detail, key=load.key, version_id=load.version_id)


def _rejected(sources: Sources, plan: Plan, key: Mapping[str, str]) -> Iterable[Reason]:
    like = " AND ".join(
        "raw LIKE '%"
        + value.replace("!", "!!").replace("%", "!%").replace("_", "!_").replace("'", "''")
        + "%' ESCAPE '!'"
        for value in key.values()
    )
    rows = sources.ask(
        f'SELECT object, version, row_number, "column", rule, reason, raw FROM "{plan.rejects_table}" '
        f"WHERE {like or 'true'} ORDER BY object, row_number, ordinal LIMIT {_MOST_REJECTS}"
    )
    for row in rows:
        if row["row_number"] is not None and set(key.values()) <= _cells(plan, row):
            place = f"{row['column']}: " if row["column"] else ""
            yield Reason(
                fate="rejected", detail=f"{place}{row['rule']}: {row['reason']}", key=str(row["object"]),
                version_id=str(row["version"]), record=int(row["row_number"]),
            )  # fmt: skip


def _cells(plan: Plan, row: Row) -> set[str]:
    """Split a rejected record into its cells, roughly: enough to tell 17 from 170."""
    raw = str(row["raw"] or "")
    if plan.reading.format == "json":
        try:
            record = json.loads(raw)
        except ValueError:
            return set()
        return {str(value) for value in record.values()} if isinstance(record, dict) else set()
    delimiter = plan.reading.delimiter if len(plan.reading.delimiter) == 1 else ","
    return {cell.strip() for line in csv.reader(raw.splitlines(), delimiter=delimiter) for cell in line}
