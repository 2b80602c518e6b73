"""`sluice init`: a contract drafted from sample files, with the evidence, and tried on the same files. No AWS."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli.check import local_sources
from sluice.cli.exits import CommandError, answering
from sluice.cli.screen import AsJson, emit, say, show, table, working

if TYPE_CHECKING:
    from sluice.contract.infer import Inferred
    from sluice.contract.plan import Reading
    from sluice.kernel.outcome import LoadSummary, SourceFile


@dataclass(frozen=True, kw_only=True)
class _Draft:
    """What came of the samples: the contract's text, its columns, and what it says to the samples."""

    text: str
    columns: Sequence[Inferred]
    loads: Sequence[LoadSummary]


def init(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset to be: lower snake case.")],
    files: Annotated[
        list[Path], typer.Argument(help="Sample files: the more, the better.", exists=True, dir_okay=False)
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; default: contracts/DATASET.odcs.yaml.", dir_okay=False)
    ] = None,
    force: Annotated[bool, typer.Option(help="Overwrite a contract that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draft a contract from sample files: types, key, missing values, enumerations, formats, with the evidence."""
    with answering(as_json=as_json):
        target = out or Path("contracts") / f"{dataset}.odcs.yaml"
        if target.exists() and not force:
            raise CommandError(f"{target} is there already.", how="Name another file with --out, or say --force.")
        with working(f"Reading {len(files)} files") as progress, TemporaryDirectory(prefix="sluice-init-") as folder:
            draft = _drafted(dataset, files, Path(folder), progress)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(draft.text, encoding="utf-8")
        read, rejected = (sum(getattr(load, name) for load in draft.loads) for name in ("rows_read", "rows_rejected"))
        refused = [load.refused for load in draft.loads if load.refused]
        if as_json:
            columns = [_document(column) for column in draft.columns]
            counts = {"rows_read": read, "rows_rejected": rejected, "refused": refused}
            emit({"ok": True, "dataset": dataset, "contract": str(target), **counts, "columns": columns})
            return
        show(table(f"{target}", ("column", "type", "required", "key", "rules"), list(map(_row, draft.columns))))
        say(f"{read:,} rows of the samples read under it, {rejected:,} rejected.")
        for reason in refused:
            say(f"One of the samples cannot be read under it: {reason}")
        say(f"Read it through: samples never prove a rule. Then: sluice check {dataset} FILE...")


def _drafted(dataset: str, files: Sequence[Path], folder: Path, progress: Callable[[str], None]) -> _Draft:
    from sluice.contract.compile import compile_plan  # noqa: PLC0415  (reads YAML)
    from sluice.contract.draft import draft  # noqa: PLC0415
    from sluice.contract.infer import flattened, infer_columns  # noqa: PLC0415
    from sluice.contract.odcs import parse  # noqa: PLC0415
    from sluice.kernel.outcome import Limits  # noqa: PLC0415  (DuckDB)
    from sluice.kernel.profile import all_text, broken_columns, find_key, profile, read_as_text  # noqa: PLC0415
    from sluice.kernel.transform import transform  # noqa: PLC0415

    limits, sources = Limits(), local_sources(dataset, files, folder / "in")
    reading, names = _sniffed(dataset, sources, folder, limits)
    progress("Reading all columns as text")
    data, odd, refused = read_as_text(sources, all_text(dataset, names, reading), folder=folder, limits=limits)
    if not data:
        raise CommandError(
            f"No row could be read: {refused[0] if refused else f'{odd} rows, none of them of the right shape'}.",
            how="Write the contract by hand: docs/contracts.md says how a dialect is described.",
        )
    columns, nulls = infer_columns(
        profile(data, names, folder=folder, limits=limits, form=reading.format, progress=progress)
    )
    progress("Looking for a key")
    key = find_key(data, columns, folder=folder, limits=limits)
    keyed = tuple(replace(column, key=key.index(at) + 1) if at in key else column for at, column in enumerate(columns))
    progress("Checking the samples against the draft")
    while True:
        text = draft(dataset, keyed, reading=reading, null_texts=nulls, samples=[path.name for path in files])
        plan = compile_plan(parse(text, file=f"{dataset}.odcs.yaml"))
        out = folder / "check"
        outcome = transform(sources, plan, out=out, scratch=folder / "scratch", run_id="init", limits=limits)
        broken = broken_columns(
            [file for file in outcome.files if file.kind == "rejects"], folder=folder, limits=limits
        )
        flat = tuple(flattened(column) if column.name in broken else column for column in keyed)
        if flat == keyed:  # each turn but the last flattens a column
            return _Draft(text=text, columns=keyed, loads=outcome.loads)
        keyed = flat
        shutil.rmtree(out)


def _sniffed(dataset: str, sources: Sequence[SourceFile], folder: Path, limits: Any) -> tuple[Reading, Sequence[str]]:
    """How the samples are written, which must be one way, and the columns of all of them."""
    from sluice.contract.plan import Plan  # noqa: PLC0415
    from sluice.kernel.readers.sniff import sniff  # noqa: PLC0415
    from sluice.kernel.session import session  # noqa: PLC0415

    plan = Plan(dataset=dataset, version="draft", mode="append")
    directories = [source.path.parent for source in sources]
    with session(limits=limits, scratch=folder, directories=directories) as connection:
        found = [
            sniff(connection, source, plan, scratch=folder / f"sniff-{number}", limits=limits)
            for number, source in enumerate(sources)
        ]
    reading, _ = found[0]
    for source, (other, _) in zip(sources, found, strict=True):
        if replace(other, encoding=reading.encoding) != reading:
            raise CommandError(
                f"{source.path.name} is written in another way than {sources[0].path.name}.",
                how="A dataset has one dialect: draft from files of one kind.",
            )
    encoding = _common_encoding(
        {own.encoding: source.path.name for source, (own, _) in zip(sources, found, strict=True)}
    )
    names = list(dict.fromkeys(name for _, own in found for name in own))
    everywhere = all(set(names) == set(own) for _, own in found)
    missing: Any = "reject" if everywhere else "null"
    return replace(reading, encoding=encoding, missing_columns=missing, unknown_columns="reject"), names


def _common_encoding(samples: Mapping[str, str]) -> str:
    """The encoding that all samples can be read in. `samples` maps the encodings found to a sample of each."""
    special = {encoding: name for encoding, name in samples.items() if encoding != "ascii"}
    if special.keys() == {"latin-1", "windows-1252"}:  # the first differs in control characters only
        return "windows-1252"
    if len(special) > 1:
        (one, in_one), (two, in_two) = sorted(special.items())[:2]
        raise CommandError(
            f"{in_one} is written in {one}, {in_two} in {two}.",
            how="A dataset has one encoding: draft from files of one kind.",
        )
    return next(iter(special), "utf-8")


def _row(column: Inferred) -> tuple[object, ...]:
    rules = [*(["minimum 0"] if column.not_negative else []), *([f"format {column.form}"] if column.form else []),
             *([f"one of {', '.join(column.values)}"] if column.values else []), *column.remarks]  # fmt: skip
    return (column.name, column.kind, "yes" if column.required else "", column.key or "", "; ".join(rules))


def _document(column: Inferred) -> dict[str, object]:
    return {
        "name": column.name, "source": column.profile.source, "type": column.kind, "format": column.form,
        "required": column.required, "key": column.key, "values": list(column.values), "remarks": list(column.remarks),
    }  # fmt: skip
