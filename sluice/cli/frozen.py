"""`sluice frozen`: versions that were frozen: list, show, prove, compare, remove."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sluice.cli.exits import Exit, answering
from sluice.cli.freeze import open_store, pins_of, summary
from sluice.cli.screen import AsJson, emit, say, show, table, working
from sluice.cli.target import Target

app = typer.Typer(help="Frozen versions of data sets: list, show, verify, diff, rm.", no_args_is_help=True)

Reference = Annotated[str, typer.Argument(help="NAME, NAME@latest or NAME@ID; the first digits of an id suffice.")]


@app.command("list")
def list_versions(
    name: Annotated[str | None, typer.Argument(help="The set; default: all of them.")] = None, as_json: AsJson = False
) -> None:
    """List versions, newest first."""
    with answering(as_json=as_json):
        store = open_store(Target.from_environment(os.environ))
        found = [
            frozen
            for set_name in ([name] if name else store.names())
            for _, version in reversed(store.log(set_name))
            if (frozen := store.find(set_name, version)) is not None
        ]
        if as_json:
            emit({"ok": True, "versions": [summary(frozen) for frozen in found]})
            return
        rows = [(f.name, f.id, f.created[:19], f.rows, f.bytes, f.by, pins_of(f)) for f in found]
        show(table("", ["set", "id", "frozen", "rows", "bytes", "by", "from"], rows, numbers=["rows", "bytes"]))


@app.command("show")
def show_version(reference: Reference, as_json: AsJson = False) -> None:
    """Show what a version holds and what it was made of."""
    with answering(as_json=as_json):
        frozen = open_store(Target.from_environment(os.environ)).resolve(reference)
        if as_json:
            columns = [vars(column) for column in frozen.columns]
            origins = [vars(origin) for origin in frozen.origins]
            emit({"ok": True, **summary(frozen), "uri": frozen.uri, "columns": columns, "origins": origins,
                  "statement": frozen.statement})  # fmt: skip
            return
        show(f"[bold]{frozen.uri}[/]  {frozen.rows:,} rows, {frozen.bytes:,} bytes, digest {frozen.digest}")
        show(f"frozen {frozen.created} by {frozen.by} with {frozen.code}")
        figures = [(c.name, c.type, c.nulls, c.distinct, c.least, c.greatest) for c in frozen.columns]
        show(table("Columns", ["column", "type", "missing", "distinct", "least", "greatest"], figures,
                   numbers=["missing", "distinct"]))  # fmt: skip
        pins = [
            (pin.table, pin.snapshot, pin.committed[:19], pin.contract) for top in frozen.pins for pin in top.flat()
        ]
        show(
            table(
                "Snapshots", ["table", "snapshot", "committed", "contract"], [(t, str(s), c, v) for t, s, c, v in pins]
            )
        )
        files = [(o.table, o.key, o.version_id, o.contract, o.rows) for o in frozen.origins]
        show(table("Object versions", ["table", "object", "version", "contract", "rows"], files, numbers=["rows"]))


@app.command("verify")
def verify_version(
    reference: Reference,
    raw: Annotated[
        bool, typer.Option("--raw", help="Also rebuild the rows from raw object versions, offline.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prove bytes and rows against the manifest, and rebuild the rows. Exit code 1 if anything differs."""
    with answering(as_json=as_json):
        from sluice.frozen.verify import verify_files, verify_raw, verify_snapshots  # noqa: PLC0415  (DuckDB)

        target = Target.from_environment(os.environ)
        store = open_store(target)
        frozen = store.resolve(reference)
        with working("Comparing bytes and rows") as progress:
            proofs = [*verify_files(store, frozen)]
            progress("Selecting again from the pinned snapshots")
            proofs.append(verify_snapshots(store, frozen))
            if raw:
                from sluice.local.athena.files import select_files  # noqa: PLC0415  (the embedded engine)

                progress("Rebuilding the rows from raw object versions")
                proofs.append(verify_raw(store, frozen, raw_bucket=target.raw_bucket, engine=select_files))
        if as_json:
            emit({"ok": all(p.holds for p in proofs), "uri": frozen.uri, "proofs": [vars(p) for p in proofs]})
        else:
            show(
                table(
                    frozen.uri,
                    ["", "what", "detail"],
                    [("holds" if p.holds else "FAILS", p.name, p.detail) for p in proofs],
                )
            )
        if not all(proof.holds for proof in proofs):
            raise typer.Exit(Exit.DATA)


@app.command("diff")
def diff_versions(before: Reference, after: Reference, as_json: AsJson = False) -> None:
    """Tell which rows two versions differ in, by key, and what made the difference."""
    with answering(as_json=as_json):
        from sluice.frozen.compare import compare  # noqa: PLC0415  (DuckDB)

        store = open_store(Target.from_environment(os.environ))
        with working("Comparing rows"):
            found = compare(store, store.resolve(before), store.resolve(after))
        if as_json:
            emit({
                "ok": True, "before": found.before.uri, "after": found.after.uri, "added": found.added,
                "removed": found.removed, "changed": found.changed, "columns": found.columns,
                "samples": found.samples, "causes": [vars(cause) for cause in found.causes],
            })  # fmt: skip
            return
        show(f"{found.before.uri} -> {found.after.uri}")
        show(f"{found.added:,} rows added, {found.removed:,} removed, {found.changed:,} changed.")
        for name, cells in found.columns.items():
            show(f"  {name}: {cells:,} cells")
        show(table("What made the difference", ["kind", "what"], [(c.kind, c.what) for c in found.causes]))


@app.command("rm")
def remove_version(
    reference: Reference,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove a version for good: its files, its manifest and the tags that kept its snapshots."""
    with answering(as_json=as_json):
        from sluice.frozen.pins import release, tag_name  # noqa: PLC0415

        store = open_store(Target.from_environment(os.environ))
        frozen = store.resolve(reference)
        if not yes:
            typer.confirm(f"Remove {frozen.uri} with {frozen.rows:,} rows for good?", abort=True, err=True)
        removed = store.remove(frozen)
        release(store.catalog(), store.database, frozen.pins, tag_name(frozen.name, frozen.id))
        if as_json:
            emit({"ok": True, "uri": frozen.uri, "objects": removed})
        else:
            say(f"{frozen.uri} is removed: {removed} objects. Models that were trained on it can no longer be checked.")


@app.command("pull")
def pull_version(
    reference: Reference, folder: Annotated[Path, typer.Argument(help="Where to.")], as_json: AsJson = False
) -> None:
    """Download the files of a version, their bytes checked."""
    with answering(as_json=as_json):
        from sluice.frozen.load import fetch_checked  # noqa: PLC0415

        store = open_store(Target.from_environment(os.environ))
        frozen = store.resolve(reference)
        folder.mkdir(parents=True, exist_ok=True)
        for file in frozen.files:
            (folder / file.key.rpartition("/")[2]).write_bytes(fetch_checked(store, file))
        if as_json:
            emit({"ok": True, "uri": frozen.uri, "files": len(frozen.files)})
        else:
            show(f"{frozen.uri}: {len(frozen.files)} files in {folder}.")
