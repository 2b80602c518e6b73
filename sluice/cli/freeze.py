"""`sluice freeze`: pin what a set reads, and keep its rows for good."""

from __future__ import annotations

import getpass
import os
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.exits import CommandError, answering
from sluice.cli.screen import AsJson, emit, show, working
from sluice.cli.target import Target

if TYPE_CHECKING:
    from sluice.frozen.model import Frozen
    from sluice.frozen.store import Store
    from sluice.warehouse.definition import SetDefinition


def freeze(
    name: Annotated[str, typer.Argument(help="The set: the name of its file in frozen/, without .sql.")],
    as_of: Annotated[
        str | None, typer.Option(help="The tables as they were at this time: 2026-01-31T12:00:00, UTC unless said.")
    ] = None,
    dvc: Annotated[Path | None, typer.Option(help="Write a .dvc file for `dvc pull` into this folder.")] = None,
    project: Annotated[Path, typer.Option(help="Folder with contracts/, marts/ and frozen/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Freeze a set of rows for training: immutable, content-addressed, traceable to files, contracts and code."""
    with answering(as_json=as_json):
        from sluice.frozen.freeze import Asked  # noqa: PLC0415  (DuckDB, and with it a tenth of a second)
        from sluice.frozen.freeze import freeze as freeze_set  # noqa: PLC0415
        from sluice.project import load_project  # noqa: PLC0415

        found = load_project(project)
        definition = _definition(found.sets, name)
        store = open_store(Target.from_environment(os.environ))
        asked = Asked(
            by=getpass.getuser(),
            code=code_of(project),
            moment=datetime.now(UTC),
            as_of=_moment(as_of) if as_of else None,
        )
        with working(f"Freezing {name}") as progress:
            frozen, is_new = freeze_set(store, definition, marts=found.marts, asked=asked, progress=progress)
        written = None
        if dvc is not None:
            from sluice.frozen.dvc import write_dvc_file  # noqa: PLC0415

            written = write_dvc_file(frozen, bucket=store.bucket, folder=dvc)
        if as_json:
            emit({"ok": True, "new": is_new, "uri": frozen.uri, "dvc": written and str(written), **summary(frozen)})
            return
        show(f"{frozen.uri} {'is frozen' if is_new else 'was frozen already: nothing has changed'}.")
        show(f"{frozen.rows:,} rows, {frozen.bytes:,} bytes, digest {frozen.digest[:16]}, from " + pins_of(frozen))
        if frozen.split:
            show(", ".join(f"{side}: {rows:,} rows" for side, rows in frozen.split.items()))
        if written:
            show(f"{written} is written: commit it with git; `dvc pull {written}` fetches the file.")
        show(f'Read it: sluice.frozen.load("{frozen.name}@{frozen.id}")   Prove it: sluice frozen verify {frozen.name}')


def open_store(target: Target) -> Store:
    """Open the frozen versions of the AWS that the command talks to."""
    from sluice.frozen.athena import asking  # noqa: PLC0415
    from sluice.frozen.load import store_of  # noqa: PLC0415

    session = target.session()
    return store_of(
        session,
        bucket=target.lake_bucket,
        database=target.database,
        ask=asking(session, database=target.database, workgroup=target.workgroup),
        endpoint=target.endpoint,
    )


def summary(frozen: Frozen) -> dict[str, object]:
    """Return what a machine wants to know of a version."""
    return {
        "name": frozen.name, "id": frozen.id, "rows": frozen.rows, "bytes": frozen.bytes, "digest": frozen.digest,
        "created": frozen.created, "by": frozen.by, "code": frozen.code, "as_of": frozen.as_of or None,
        "split": frozen.split, "pins": {pin.table: pin.snapshot for pin in frozen.pins},
        "objects": len(frozen.origins), "scanned_bytes": frozen.scanned_bytes,
    }  # fmt: skip


def pins_of(frozen: Frozen) -> str:
    """Say which tables a version was made of."""
    return ", ".join(f"{pin.table} ({pin.committed[:19]})" for pin in frozen.pins)


def code_of(project: Path) -> str:
    """Name the code that makes the rows: Sluice's version, and the project's commit where git knows one."""
    release = f"sluice {version('sluice')}"
    try:
        said = subprocess.run(  # noqa: S603
            ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return release
    return f"{release}, {said.stdout.strip()}" if said.returncode == 0 and said.stdout.strip() else release


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a time.", how="Write it like 2026-01-31T12:00:00.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _definition(sets: object, name: str) -> SetDefinition:
    known = {one.name: one for one in sets}  # type: ignore[attr-defined]
    if name not in known:
        there = ", ".join(sorted(known)) or "none yet"
        raise CommandError(f"There is no frozen/{name}.sql.", how=f"Write it, or name one of: {there}.")
    found: SetDefinition = known[name]
    return found
