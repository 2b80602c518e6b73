"""A user's project folder read into plans and marts: the one place where contract and mart files are opened.

Used at synth, by the command line and by tests; never by a Lambda (those read the compiled JSON in their asset).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.contract.compile import compile_plan
from sluice.contract.evolution import refuse_unsaid
from sluice.contract.odcs import parse
from sluice.contract.plan import PROVENANCE, REJECTS, Plan
from sluice.contract.relations import unknown_targets
from sluice.contract.selection import read_selection, with_selection
from sluice.errors import ContractError
from sluice.kernel.rehearse import rehearse
from sluice.warehouse.definition import SetDefinition, compile_sets
from sluice.warehouse.mart import Mart
from sluice.warehouse.parse import compile_marts

CONTRACT_SUFFIX = ".odcs.yaml"
TRANSFORMS = "transforms"
RELEASED = "released"  # folder in contracts/ with the contracts as readers know them (`sluice diff --release`)


@dataclass(frozen=True)
class Project:
    """All datasets by name, all marts, each after the marts and tables that it reads, and all frozen sets."""

    root: Path  # the folder with contracts/ and marts/
    plans: Mapping[str, Plan]
    marts: Sequence[Mart]
    sets: Sequence[SetDefinition] = ()


def load_plan(path: Path, *, anywhere: bool = False) -> Plan:
    """Compile one contract file, with its transform if there is one, and try the plan on no rows.

    Raises ContractError, also where the file name does not name the dataset, unless the file may be `anywhere`.
    """
    dataset = parse(path.read_text(encoding="utf-8"), file=str(path))
    if (transform := _transform(path, dataset.name)) is not None:
        selection = read_selection(transform.read_text(encoding="utf-8"), file=str(transform))
        dataset = with_selection(dataset, selection)
    plan = compile_plan(dataset)
    rehearse(plan, file=str(path))
    if not anywhere and path.name != plan.dataset + CONTRACT_SUFFIX:
        raise ContractError(
            f"the contract describes dataset {plan.dataset!r}",
            file=str(path),
            remedy=f"name the file {plan.dataset}{CONTRACT_SUFFIX}",
        )
    return plan


def _transform(contract: Path, dataset: str) -> Path | None:
    """The file `transforms/<dataset>.sql` beside the folder of contracts, or in it (for released ones)."""
    for folder in (contract.parent, contract.absolute().parent.parent):
        path = folder / TRANSFORMS / f"{dataset}.sql"
        if path.is_file():
            return path
    return None


def load_project(root: Path) -> Project:
    """Compile `contracts/*.odcs.yaml` and `marts/*.sql` below `root`. Raises ContractError on the first mistake.

    A contract that would break readers of the released one, without a new major version that says so, is a mistake.
    """
    plans = {plan.dataset: plan for plan in map(load_plan, sorted((root / "contracts").glob("*" + CONTRACT_SUFFIX)))}
    if not plans:
        raise ContractError("no contract found", file=str(root / "contracts"), remedy="add <dataset>.odcs.yaml")
    for plan in plans.values():
        for sentence in unknown_targets(plan, plans):
            raise ContractError(
                sentence,
                file=str(root / "contracts" / f"{plan.dataset}{CONTRACT_SUFFIX}"),
                place="relationships",
                remedy="name a column of that dataset",
            )
    for path in sorted((root / TRANSFORMS).glob("*")):
        if path.suffix != ".sql" or path.stem not in plans:
            raise ContractError(
                "a transform without a contract", file=str(path), remedy="name it <dataset>.sql after a contract"
            )
    for plan in plans.values():
        path = root / "contracts" / RELEASED / f"{plan.dataset}{CONTRACT_SUFFIX}"
        if path.is_file():
            refuse_unsaid(load_plan(path), plan, file=str(root / "contracts" / path.name))
    marts = load_marts(root / "marts", plans)
    return Project(root=root, plans=plans, marts=marts, sets=load_sets(root / "frozen", plans, marts))


def load_marts(folder: Path, plans: Mapping[str, Plan]) -> Sequence[Mart]:
    """Parse `*.sql` in `folder` against the columns of the curated and rejects tables, in dependency order."""
    return compile_marts(_texts(folder), tables=_tables(plans))


def load_sets(folder: Path, plans: Mapping[str, Plan], marts: Sequence[Mart]) -> Sequence[SetDefinition]:
    """Parse `*.sql` in `folder` as frozen sets over the tables of `plans` and the marts."""
    return compile_sets(_texts(folder), tables=_tables(plans), marts=marts)


def _tables(plans: Mapping[str, Plan]) -> Mapping[str, Sequence[tuple[str, str]]]:
    tables: dict[str, Sequence[tuple[str, str]]] = {}
    for plan in plans.values():
        tables[plan.dataset] = [*((column.name, column.type) for column in plan.columns), *PROVENANCE]
        tables[plan.rejects_table] = REJECTS
    return tables


def _texts(folder: Path) -> Mapping[str, str]:
    return {str(path): path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))}
