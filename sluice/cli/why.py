"""`sluice why`: where a row came from, or why a row or file is not in its table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.exits import CommandError, answering
from sluice.cli.frames import records, select
from sluice.cli.screen import AsJson, emit, show, table, working
from sluice.cli.target import Target

if TYPE_CHECKING:
    from sluice.lineage.sources import Sources
    from sluice.lineage.why import RowStory
    from sluice.lineage.whynot import Reason


def why(
    dataset: Annotated[str, typer.Argument(help="The dataset.")],
    key: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE; say it again for further columns.")] = None,
    where: Annotated[str, typer.Option(help="A condition in Athena's SQL.")] = "",
    *,
    file: Annotated[str, typer.Option(help="A file: its name below the dataset's folder, or its whole key.")] = "",
    project: Annotated[Path, typer.Option(help="Folder with contracts/ and marts/.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Say why a row is as it is, or why a row or file is not in its table."""
    with answering(as_json=as_json):
        if not (key or where or file):
            raise CommandError("Why what?", how="Name a row (--key order_id=17, --where ...) or a file (--file NAME).")
        from sluice.lineage import why as rows  # noqa: PLC0415  (DuckDB)
        from sluice.lineage import whynot  # noqa: PLC0415

        sources = _sources(Target.from_environment(os.environ), project)
        wanted = dict(map(_pair, key or []))
        stories: Sequence[RowStory] = []
        reasons: Sequence[Reason] = []
        with working(f"Asking tables, ledger and bucket about {dataset}"):
            if file:
                full = file if file.startswith(f"{dataset}/") else f"{dataset}/{file}"
                reasons = whynot.why_not_object(sources, full)
            else:
                stories = rows.why(sources, dataset, key=wanted, where=where)
                reasons = whynot.why_not_rows(sources, dataset, key=wanted) if wanted and not stories else []
        if as_json:
            told = [rows.as_document(story) for story in stories]
            emit({"ok": True, "dataset": dataset, "rows": told, "reasons": [vars(reason) for reason in reasons]})
            return
        for story in stories:
            _tell(story)
        if not stories:
            _tell_reasons(dataset, file, reasons)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(f"{text!r} is no COLUMN=VALUE.", how="Write it like --key order_id=17.")
    return name, value


def _sources(target: Target, project: Path) -> Sources:
    from sluice.lineage.sources import Sources  # noqa: PLC0415
    from sluice.project import load_project  # noqa: PLC0415  (reads YAML)

    found = load_project(project)
    glue = target.client("glue")

    def exists(name: str) -> bool:
        try:
            glue.get_table(DatabaseName=target.database, Name=name)
        except glue.exceptions.EntityNotFoundException:
            return False
        return True

    return Sources(
        plans=found.plans, marts=found.marts, ledger=target.ledger(), s3=target.client("s3"),
        raw_bucket=target.raw_bucket, ask=lambda sql: records(select(target, sql)), exists=exists,
    )  # fmt: skip


def _tell(story: RowStory) -> None:
    title = f"{story.dataset}: record {story.record:,} of {story.key}"
    facts: list[tuple[str, object]] = [
        ("values", _values(story.values)),
        ("stands in the file as", story.raw if story.raw is not None else "not shown: binary, protected, or gone"),
        ("object version", story.version_id),
        ("contract", story.contract),
    ]
    if story.load:
        counts = story.load.counts
        facts.append(("delivered", story.load.registered))
        read = f"{counts.rows_read:,} read, {counts.rows_accepted:,} accepted"
        left = f"{counts.rows_rejected:,} rejected, {counts.rows_superseded:,} superseded"
        facts.append(("its file", f"{read}, {left}"))
    if story.run:
        facts.append(
            ("run", f"{story.run.run_id}, {story.run.finished or 'under way'}, {', '.join(story.run.engines)}")
        )
    facts.append(("rules passed", ", ".join(story.rules) or "types only"))
    facts += [(f"{one.column} is computed as", one.expression) for one in story.derived]
    facts += [
        ("other version of the file", f"{one['version_id']} of {one['delivered']}") for one in story.delivered_again
    ]
    facts.append(("marts that read the table", ", ".join(story.marts) or "none"))
    show(table(title, ["", ""], facts))


def _values(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _tell_reasons(dataset: str, file: str, reasons: Sequence[Reason]) -> None:
    if not reasons:
        show(f"No row of {dataset} has these values, no reject has them, and no file waits or was refused.")
        return
    title = f"What became of {file}" if file else f"No row of {dataset} has these values. What may be the reason"
    rows = [(one.fate, one.key, one.record, one.detail) for one in reasons]
    show(table(title, ["fate", "object", "record", "why"], rows, numbers=["record"]))
