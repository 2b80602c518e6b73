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
from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.screen import AsJson, emit, say, show, table, working
from sluice.contract.filetypes import file_type

if TYPE_CHECKING:
    from sluice.contract.draft import Draft
    from sluice.contract.infer import Inferred
    from sluice.contract.plan import Reading
    from sluice.kernel.breaches import Breach
    from sluice.kernel.outcome import LoadSummary, SourceFile
    from sluice.kernel.profile.keys import Key

_MOST_REJECTED = 0.5  # share of the samples' rows of which a draft that rejects more is wrong
_EXAMPLES = 3
_SHOWN = 40  # characters of a value in a comment
_SHAPES = {"row.fields", "row.quotes", "row.header", "row.json"}


@dataclass(frozen=True, kw_only=True)
class _Tried:
    """A draft, and what it says to the samples that it was made from."""

    draft: Draft
    loads: Sequence[LoadSummary]

    @property
    def read(self) -> int:
        return sum(load.rows_read for load in self.loads)

    @property
    def rejected(self) -> int:
        return sum(load.rows_rejected for load in self.loads)

    @property
    def refused(self) -> Sequence[str]:
        return [load.refused for load in self.loads if load.refused]

    @property
    def fails(self) -> bool:
        """True where the draft takes hardly anything of the samples."""
        return self.rejected > _MOST_REJECTED * self.read or len(self.refused) == len(self.loads)


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
    """Draft a contract from sample files: types, key, missing values, enumerations, formats, with the evidence.

    Exit code 1 if the draft rejects most of the samples.
    """
    with answering(as_json=as_json):
        target = out or Path("contracts") / f"{dataset}.odcs.yaml"
        if target.exists() and not force:
            raise CommandError(f"{target} is there already.", how="Name another file with --out, or say --force.")
        with working(f"Reading {len(files)} files") as progress, TemporaryDirectory(prefix="sluice-init-") as folder:
            tried = _drafted(dataset, files, Path(folder), progress)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(tried.draft.text(), encoding="utf-8")
        if as_json:
            emit({"ok": not tried.fails, "dataset": dataset, "contract": str(target), **_document(tried)})
        else:
            _tell(dataset, target, tried)
        if tried.fails:
            raise typer.Exit(Exit.DATA)


def _tell(dataset: str, target: Path, tried: _Tried) -> None:
    draft = tried.draft
    show(table(f"{target}", ("column", "type", "required", "key", "rules"), list(map(_row, draft.columns))))
    found = [("the files", finding) for finding in draft.findings]
    found += [(name or "records", words) for name, said in draft.exceptions.items() for words in said]
    if found:
        show(table("Found in the samples", ("where", "what"), found))
    say(f"{tried.read:,} rows of the samples read under it, {tried.rejected:,} rejected.")
    for reason in tried.refused:
        say(f"One of the samples cannot be read under it: {reason}")
    if tried.fails:
        say("[bold red]The draft does not fit its own samples[/]: it rejects most of them. Look at the file's first")
        say("lines; if a title stands above the header, say skipLines (docs/contracts.md).")
        return
    say(f"Read it through: samples never prove a rule. Then: sluice check {dataset} FILE...")


def _drafted(dataset: str, files: Sequence[Path], folder: Path, progress: Callable[[str], None]) -> _Tried:
    from sluice.contract.draft import Draft  # noqa: PLC0415
    from sluice.contract.infer import infer_columns  # noqa: PLC0415
    from sluice.kernel.outcome import Limits  # noqa: PLC0415  (DuckDB)
    from sluice.kernel.profile.columns import profile  # noqa: PLC0415
    from sluice.kernel.profile.keys import find_key  # noqa: PLC0415
    from sluice.kernel.profile.samples import all_text, data_files, read_as_text  # noqa: PLC0415

    limits, sources = Limits(), local_sources(dataset, files, folder / "in")
    reading, names, findings = _sniffed(dataset, sources, folder, limits)
    progress("Reading all columns as text")
    text = read_as_text(sources, all_text(dataset, names, reading), folder=folder, limits=limits)
    data = data_files(text)
    if not data:
        refused = [load.refused for load in text.loads if load.refused]
        odd = sum(load.rows_rejected for load in text.loads)
        raise CommandError(
            f"No row could be read: {refused[0] if refused else f'{odd} rows, none of them of the right shape'}.",
            how="Write the contract by hand: docs/contracts.md says how a dialect is described.",
        )
    profiles = profile(data, names, folder=folder, limits=limits, form=reading.format, progress=progress)
    columns, nulls = infer_columns(profiles, spelled=file_type(reading.format).has_spelling)
    progress("Looking for a key")
    key = find_key(data, columns, folder=folder, limits=limits)
    draft = Draft(
        dataset=dataset,
        columns=tuple(_keyed(column, at, key) for at, column in enumerate(columns)),
        reading=reading,
        null_texts=nulls,
        samples=[path.name for path in files],
        mode="merge" if _merges(columns, key) else "append",
        findings=[*findings, *_key_findings(columns, key)],
    )
    progress("Checking the samples against the draft")
    return _tried(draft, sources, folder, limits)


def _tried(draft: Draft, sources: Sequence[SourceFile], folder: Path, limits: Any) -> _Tried:
    """Run the samples under the draft; where what is inside nested cells keeps none, keep their text instead."""
    from sluice.contract.compile import compile_plan  # noqa: PLC0415  (reads YAML)
    from sluice.contract.infer import exceptions, flattened  # noqa: PLC0415
    from sluice.contract.odcs import parse  # noqa: PLC0415
    from sluice.kernel.breaches import find_breaches  # noqa: PLC0415
    from sluice.kernel.transform import transform  # noqa: PLC0415

    while True:
        plan = compile_plan(parse(draft.text(), file=f"{draft.dataset}.odcs.yaml"))
        out = folder / "check"
        outcome = transform(sources, plan, out=out, scratch=folder / "scratch", run_id="init", limits=limits)
        found = find_breaches(outcome, sources, plan, folder=folder, limits=limits, most=_EXAMPLES)
        broken = {
            column.name
            for column in draft.columns
            for breach in found
            if breach.column == column.name and breach.rows > exceptions(column.profile.filled)
        }
        flat = tuple(flattened(column) if column.name in broken else column for column in draft.columns)
        if flat == draft.columns:  # each turn but the last flattens a column
            told = _exceptions(draft, found, many=len(sources) > 1, sources=sources)
            return _Tried(draft=replace(draft, exceptions=told), loads=outcome.loads)
        draft = replace(draft, columns=flat)
        shutil.rmtree(out)


def _exceptions(
    draft: Draft, found: Sequence[Breach], *, many: bool, sources: Sequence[SourceFile]
) -> Mapping[str | None, Sequence[str]]:
    """What the draft rejects, in words, by column. Values of a person's data are not written into a contract."""
    names = {source.load_id: f" of {source.path.name}" if many else "" for source in sources}
    hidden = {column.name for column in draft.columns if column.personal}
    told: dict[str | None, list[str]] = {}
    for breach in found:
        column = breach.column if breach.column in {column.name for column in draft.columns} else None
        places = [
            f"{example.place}{names[example.load_id]}"
            + (f" {example.value[:_SHOWN]!r}" if example.value is not None and breach.column not in hidden else "")
            for example in breach.examples
        ]
        more = ", ..." if breach.rows > len(places) else ""
        expected = breach.examples[0].reason.partition(", got ")[0] if breach.rule not in _SHAPES else ""
        words = expected or breach.examples[0].reason
        told.setdefault(column, []).append(f"{breach.rows:,} rejected: {words}: {', '.join(places)}{more}")
    return told


def _keyed(column: Inferred, at: int, key: Key) -> Inferred:
    if at not in key.places:
        return column
    return replace(column, key=key.places.index(at) + 1, repeats=key.repeats)


def _merges(columns: Sequence[Inferred], key: Key) -> bool:
    """Whether rows seem to be newer versions of rows with the same key, rather than all rows there ever were."""
    from sluice.contract.infer import is_keyish  # noqa: PLC0415

    rows = max((column.profile.rows for column in columns), default=0)
    named = any(is_keyish(columns[at]) for at in key.places)
    return bool(key.shared) or (named and rows >= _SURE)


_SURE = 100  # rows; fewer do not prove a key by which rows would replace one another


def _key_findings(columns: Sequence[Inferred], key: Key) -> Sequence[str]:
    if not key.places:
        return ["no key was found: no column, nor two or three together, tells all rows apart"]
    names = ", ".join(columns[at].name for at in key.places)
    found = []
    if key.repeats:
        found.append(f"the key {names} is a guess: {key.repeats:,} rows repeat the key of another row of their file")
    if key.shared:
        found.append(f"{key.shared:,} keys ({names}) stand in more than one of the samples: hence mode merge")
    return found


def _sniffed(
    dataset: str, sources: Sequence[SourceFile], folder: Path, limits: Any
) -> tuple[Reading, Sequence[str], Sequence[str]]:
    """How the samples are written, which must be one way, the columns of all of them, and what was guessed."""
    from sluice.contract.plan import Plan  # noqa: PLC0415
    from sluice.kernel.readers.sniff import sniff  # noqa: PLC0415

    plan = Plan(dataset=dataset, version="draft", mode="append")
    found = [
        sniff(source, plan, scratch=folder / f"sniff-{number}", limits=limits) for number, source in enumerate(sources)
    ]
    reading, findings = found[0].reading, list(found[0].findings)
    for source, other in zip(sources, found, strict=True):
        if replace(other.reading, encoding="", blanks="keep", skip_footer=0) != replace(
            reading, encoding="", blanks="keep", skip_footer=0
        ):
            raise CommandError(
                f"{source.path.name} is written in another way than {sources[0].path.name}.",
                how="A dataset has one dialect: draft from files of one kind.",
            )
    footers = {other.reading.skip_footer for other in found}
    if len(footers) > 1:
        findings.append("some of the samples have a footer and some have none: its lines are not skipped")
    blanks: Any = "trim" if any(other.reading.blanks == "trim" for other in found) else "keep"
    encoding = _common_encoding(
        {own.reading.encoding: source.path.name for source, own in zip(sources, found, strict=True)}
    )
    if encoding == "windows-1252":
        findings.append("no UTF-8: taken for windows-1252, the usual encoding of Western Europe; look at its umlauts")
    names = list(dict.fromkeys(name for own in found for name in own.names))
    everywhere = all(set(names) == set(own.names) for own in found)
    missing: Any = "reject" if everywhere else "null"
    reading = replace(
        reading, encoding=encoding, missing_columns=missing, unknown_columns="reject", blanks=blanks,
        skip_footer=footers.pop() if len(footers) == 1 else 0,
    )  # fmt: skip
    return reading, names, findings


def _common_encoding(samples: Mapping[str, str]) -> str:
    """The encoding that all samples can be read in. `samples` maps the encodings found to a sample of each."""
    special = {encoding: name for encoding, name in samples.items() if encoding != "ascii"}
    if special.keys() == {"latin-1", "windows-1252"}:  # the first takes any byte
        return "latin-1"
    if len(special) > 1:
        (one, in_one), (two, in_two) = sorted(special.items())[:2]
        raise CommandError(
            f"{in_one} is written in {one}, {in_two} in {two}.",
            how="A dataset has one encoding: draft from files of one kind.",
        )
    return next(iter(special), "utf-8")


def _row(column: Inferred) -> tuple[object, ...]:
    rules = [*(["minimum 0"] if column.not_negative else []), *([f"format {column.form}"] if column.form else []),
             *([f"one of {', '.join(column.values)}"] if column.values else []),
             *(remark for remark in column.remarks if not remark.startswith((" ", "- ")))]  # fmt: skip
    return (column.name, column.kind, "yes" if column.required else "", column.key or "", "; ".join(rules))


def _document(tried: _Tried) -> dict[str, object]:
    draft = tried.draft
    return {
        "rows_read": tried.read, "rows_rejected": tried.rejected, "refused": list(tried.refused), "mode": draft.mode,
        "findings": list(draft.findings),
        "exceptions": [{"column": name, "what": words} for name, said in draft.exceptions.items() for words in said],
        "columns": [
            {
                "name": column.name, "source": column.profile.source, "type": column.kind, "format": column.form,
                "required": column.required, "key": column.key, "values": list(column.values),
                "decimal_separator": column.spelling.decimal, "thousands_separator": column.spelling.thousands,
                "true_texts": list(column.spelling.true_texts), "false_texts": list(column.spelling.false_texts),
                "remarks": list(column.remarks),
            }
            for column in draft.columns
        ],
    }  # fmt: skip
