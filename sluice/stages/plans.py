"""The compiled contracts that travel with a function, as JSON files beside its handler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sluice.contract.plan import Plan
from sluice.errors import ContractError


def dataset_names(folder: Path) -> frozenset[str]:
    """Return the names of all datasets."""
    return frozenset(path.stem for path in folder.glob("*.json"))


def read_plan(folder: Path, dataset: str) -> Plan:
    """Read the plan of one dataset. Raises ContractError if there is none: no rules never means no checks."""
    if dataset not in dataset_names(folder):  # also keeps a strange name from naming a path
        raise ContractError(f"no plan for dataset {dataset!r}", file=str(folder), remedy="deploy its contract")
    return Plan.from_json((folder / f"{dataset}.json").read_text(encoding="utf-8"))


def read_plans(folder: Path) -> Mapping[str, Plan]:
    """Read all plans, by dataset."""
    return {dataset: read_plan(folder, dataset) for dataset in sorted(dataset_names(folder))}
