"""`sluice orphans`: how many rows refer to something that is not there, by the contract's relationships."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.exits import CommandError, answering
from sluice.cli.frames import records, select
from sluice.cli.screen import AsJson, emit, show, table, working
from sluice.cli.target import Target

if TYPE_CHECKING:
    from sluice.contract.plan import Plan, Relationship


def orphans(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    project: Annotated[Path, typer.Option(help="Folder with contracts/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Rows that refer to nothing, by the contract's relationships. It warns: the exit code is 0."""
    with answering(as_json=as_json):
        from sluice.project import load_plan  # noqa: PLC0415  (reads YAML)

        path = project / "contracts" / f"{dataset}.odcs.yaml"
        if not path.is_file():
            raise CommandError(f"There is no contract {path}.", how="Change to the project's folder, or say --project.")
        plan, target = load_plan(path), Target.from_environment(os.environ)
        with working("Athena compares the tables"):
            found = [_counted(target, plan, relationship) for relationship in plan.relationships]
        if as_json:
            emit({"ok": True, "dataset": dataset, "relationships": found})
        elif found:
            numbers = ("rows", "orphans")
            show(table("", list(found[0]), [tuple(row.values()) for row in found], numbers=numbers))
        else:
            show(f"The contract of {dataset} has no relationships.")


def _counted(target: Target, plan: Plan, relationship: Relationship) -> dict[str, object]:
    from sluice.contract.relations import orphan_query  # noqa: PLC0415  (the SQL parser)

    said: dict[str, object] = {
        "from": ", ".join(relationship.columns),
        "to": ", ".join(f"{relationship.dataset}.{name}" for name in relationship.to),
    }
    try:
        ((row),) = records(select(target, orphan_query(plan, relationship)))
    except CommandError as error:  # one table that cannot be read says nothing about the others
        return {**said, "rows": None, "orphans": None, "problem": str(error)}
    return {**said, "rows": row["rows"], "orphans": row["orphans"], "problem": None}
