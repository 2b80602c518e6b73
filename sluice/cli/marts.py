"""What the command line says of marts: what became of each one's last refresh, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.cli.screen import table
from sluice.cli.target import Target

if TYPE_CHECKING:
    from sluice.ledger.model import MartState
    from sluice.warehouse.mart import Mart

COLUMNS = ("mart", "state", "rows are of", "failing since", "reason")
_PAUSE_SECONDS = 0.3


def marts_of(project: Path) -> Sequence[Mart]:
    """Return the project's marts in dependency order; none where the folder holds none."""
    from sluice.project import load_project  # noqa: PLC0415  (reads YAML and parses SQL)

    return load_project(project).marts if (project / "marts").is_dir() else ()


def states(target: Target, names: Sequence[str]) -> list[MartState]:
    """Read what became of each mart's last refresh; marts that were never tried are left out."""
    ledger = target.ledger()
    return [state for name in names if (state := ledger.mart(name))]


def answered(
    target: Target, dataset: str, fence: int, names: Sequence[str], *, deadline: float, progress: Callable[[str], None]
) -> list[MartState]:
    """Wait until these marts have answered a publication of the dataset; return those that have until then."""
    while True:
        found = [state for state in states(target, names) if state.seen.get(dataset, 0) >= fence]
        missing = sorted(set(names) - {state.mart for state in found})
        if not missing or time.monotonic() > deadline:
            return found
        progress(f"Waiting for marts: {', '.join(missing)}")
        time.sleep(_PAUSE_SECONDS)


def drawn(found: Sequence[MartState]) -> Any:
    """Draw marts as a table."""
    return table("Marts", COLUMNS, [_row(state) for state in found])


def document(state: MartState) -> dict[str, object]:
    """Return a mart's state for JSON."""
    return asdict(state)


def failure_of(target: Target, name: str, project: Path) -> str:
    """Say why a table is not there, if it is a mart that was never built or a dataset without files; else nothing."""
    if not (project / "contracts").is_dir():
        return ""
    if any(mart.name == name for mart in marts_of(project)):
        found = states(target, [name])
        if found and found[0].reason:
            return f"Mart {name} has not been built: its last refresh failed: {found[0].reason}"
        return f"Mart {name} has not been built yet: the tables that it reads hold nothing."
    if (project / "contracts" / f"{name}.odcs.yaml").is_file():
        return f"{name} is a dataset, and no file of it has been loaded: sluice put {name} FILE"
    return ""


def _row(state: MartState) -> tuple[object, ...]:
    return state.mart, state.outcome, _moment(state.fresh), _moment(state.failing), state.reason


def _moment(text: str | None) -> str:
    return text[:19].replace("T", " ") if text else ""
