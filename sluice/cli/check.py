"""`sluice check`: files against a contract with the kernel alone. No AWS, no network."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.cli.exits import CommandError, Exit, answering
from sluice.cli.screen import AsJson, count_of, emit, say, show, table, working

if TYPE_CHECKING:
    from sluice.contract.plan import Plan
    from sluice.kernel.breaches import Breach
    from sluice.kernel.outcome import LoadSummary, OutputFile, RejectCount, SourceFile

_SALT = "sluice check, which publishes nothing"  # hashes of a trial are worth nothing
_EXAMPLES = 3  # rows that are shown of each broken rule
_SAMPLE_COLUMNS = ("line", "column", "rule", "value", "reason")
_COUNTS = ("rows_read", "rows_accepted", "rows_rejected", "rows_superseded")


def check(
    dataset: Annotated[str, typer.Argument(help="The dataset whose contract the files are to keep.")],
    files: Annotated[list[Path], typer.Argument(help="Files, as they would be uploaded.", exists=True, dir_okay=False)],
    contract: Annotated[
        Path | None, typer.Option(help="The contract; default: contracts/DATASET.odcs.yaml.", dir_okay=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Keep the Parquet files here: data/ and rejects/.", file_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try files against a contract without any AWS. Exit code 1 if a row or a file breaks it."""
    with answering(as_json=as_json):
        from sluice.project import load_plan  # noqa: PLC0415  (reads YAML)

        path = contract or Path("contracts") / f"{dataset}.odcs.yaml"
        if not path.is_file():
            raise CommandError(
                f"There is no contract {path}.", how="Name it with --contract, or change to the project's folder."
            )
        plan = load_plan(path, anywhere=contract is not None)
        if plan.dataset != dataset:
            raise CommandError(
                f"{path} describes {plan.dataset}, not {dataset}.", how=f"Say: sluice check {plan.dataset}"
            )
        if out is not None and out.exists() and any(out.iterdir()):
            raise CommandError(f"{out} is not empty.", how="Name a new folder with --out; nothing is overwritten.")
        with working(f"Checking {count_of(len(files), 'file')}"):
            judged = judge(plan, files, out, examples=_EXAMPLES)
        broken = _report(plan, files, judged, as_json=as_json)
        if out is not None:
            say(f"Written to {out}.")
        if broken:
            raise typer.Exit(Exit.DATA)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the kernel said of some files: their accounts, what rejected rows break, why files were refused, by load."""

    loads: Sequence[LoadSummary]
    breaches: Sequence[Breach] = ()
    refusals: Mapping[str, str] = field(default_factory=dict)


def judge(plan: Plan, files: Sequence[Path], out: Path | None = None, *, examples: int = 0) -> Judged:
    """Run the kernel over files; keep what it writes below `out`, if given. Look `examples` of each breach up."""
    from sluice.kernel.breaches import find_breaches, refusals  # noqa: PLC0415  (DuckDB)
    from sluice.kernel.outcome import Limits  # noqa: PLC0415
    from sluice.kernel.transform import transform  # noqa: PLC0415

    limits = Limits()
    with TemporaryDirectory(prefix="sluice-check-") as folder:
        scratch = Path(folder)
        sources = local_sources(plan.dataset, files, scratch / "in")
        outcome = transform(sources, plan, out=scratch / "out", scratch=scratch / "spill", run_id="check", salt=_SALT)
        judged = Judged(loads=outcome.loads)
        if examples:
            found = find_breaches(outcome, sources, plan, folder=scratch / "look", limits=limits, most=examples)
            judged = replace(judged, breaches=found, refusals=refusals(outcome, folder=scratch / "look", limits=limits))
        if out is not None:
            _keep(outcome.files, out)
    return judged


def local_sources(dataset: str, files: Sequence[Path], links: Path) -> Sequence[SourceFile]:
    """Files as the kernel takes them, as if they had been uploaded; `links` is a folder for plain names of odd ones."""
    from sluice.kernel.outcome import SourceFile  # noqa: PLC0415

    return [
        SourceFile(
            path=_plain(path, links / str(number)),
            load_id=hashlib.sha256(b"%d\n%b" % (number, os.fsencode(path))).hexdigest()[:32],
            key=f"{dataset}/{_readable(path.name)}",
            version_id="local",
            order=f"{number:06d}",  # the order of the command line: the last file is the newest
        )
        for number, path in enumerate(files)
    ]


def _plain(path: Path, link: Path) -> Path:
    """The file under a plain name: to DuckDB `a[1].csv` is a pattern, and a name that is no text is no name."""
    name = str(path.absolute())
    if _readable(name) == name and not set(name) & set("*?[]"):
        return path
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.hardlink_to(path)
    except OSError:  # on another disk, or not ours
        shutil.copyfile(path, link)
    return link


def _readable(name: str) -> str:
    """A file's name as Unicode: names on disk are bytes, and some are no text."""
    return name.encode("utf-8", "backslashreplace").decode()


def _keep(files: Sequence[OutputFile], out: Path) -> None:
    """Move the files to `data/` and `rejects/`, numbered: the kernel's own folders are its own business."""
    for number, file in enumerate(files):
        folder = out / file.kind
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(file.path, folder / f"{number:05d}.parquet")


def _report(plan: Plan, files: Sequence[Path], judged: Judged, *, as_json: bool) -> bool:
    """Say what became of the files; True if a row or a file broke the contract."""
    summaries = judged.loads
    from sluice.stages.holding import held_back  # noqa: PLC0415  (DuckDB)

    held = {summary.load_id: held_back(summary, plan) for summary in summaries}
    broken = any(summary.rows_rejected or summary.refused or held[summary.load_id] for summary in summaries)
    checks = _checks(plan, files, summaries)
    total = {name: sum(getattr(summary, name) for summary in summaries) for name in _COUNTS}
    rejects = _grouped(reject for summary in summaries for reject in summary.rejects)
    warnings = _grouped(warning for summary in summaries for warning in summary.warnings)
    names = {summary.load_id: _readable(path.name) for path, summary in zip(files, summaries, strict=True)}
    samples = _samples(judged.breaches, names)
    if as_json:
        emit(
            {
                "ok": not broken,
                "dataset": plan.dataset,
                "contract": plan.version,
                **total,
                "rejects": rejects,
                "samples": samples,
                "warnings": warnings,
                "checks": checks,
                "files": [
                    {**_document(path, summary, judged), "held_back": held[summary.load_id]}
                    for path, summary in zip(files, summaries, strict=True)
                ],
            }
        )
        return broken
    rows = [
        (_readable(path.name), *(getattr(summary, name) for name in _COUNTS), _refused(summary, judged))
        for path, summary in zip(files, summaries, strict=True)
    ]
    numbers = ("read", "accepted", "rejected", "superseded")
    show(table(f"{plan.dataset}, contract {plan.version}", ("file", *numbers, "refused"), rows, numbers=numbers))
    for title, groups in (("Rejected, by the first rule that a row broke", rejects), ("Warnings", warnings)):
        if groups:
            show(
                table(title, ("column", "rule", "rows"), [tuple(group.values()) for group in groups], numbers=("rows",))
            )
    if samples:
        columns = ("file", "line", "column", "rule", "value", "reason") if len(files) > 1 else _SAMPLE_COLUMNS
        rows = [tuple(sample[name] for name in columns) for sample in samples]
        show(table("The first of them", columns, rows))
    if checks:
        rows = [tuple(broken.values()) for broken in checks]
        show(table("Broken by a file as a whole", ("file", "severity", "expected and found"), rows))
    for path, summary in zip(files, summaries, strict=True):
        if reason := held[summary.load_id]:
            say(f"Nothing of {_readable(path.name)} would be published: {reason}.")
    return broken


def _checks(plan: Plan, files: Sequence[Path], summaries: Sequence[LoadSummary]) -> list[dict[str, object]]:
    from sluice.kernel.judging.verdict import broken_checks  # noqa: PLC0415  (the plan's model)

    return [
        {"file": _readable(path.name), "severity": broken.check.severity, "found": broken.sentence}
        for path, summary in zip(files, summaries, strict=True)
        for broken in broken_checks(summary, plan)
    ]


def _samples(breaches: Sequence[Breach], names: Mapping[str, str]) -> list[dict[str, object]]:
    """The first rows of each breach; `line` is the record's number where the format has no lines."""
    return [
        {
            "file": names[example.load_id],
            "line": example.place,
            "row": example.row,
            "column": breach.column,
            "rule": breach.rule,
            "value": example.value,
            "reason": example.reason,
        }
        for breach in breaches
        for example in breach.examples
    ]


def _refused(summary: LoadSummary, judged: Judged) -> str | None:
    """Why the file was refused, with the file's own words, which logs do without."""
    return judged.refusals.get(summary.load_id, summary.refused)


def _document(path: Path, summary: LoadSummary, judged: Judged) -> dict[str, object]:
    counts = {name: getattr(summary, name) for name in _COUNTS}
    return {
        "file": _readable(str(path)),
        **counts,
        "rejects": _grouped(summary.rejects),
        "refused": _refused(summary, judged),
    }


def _grouped(counts: Iterable[RejectCount]) -> list[dict[str, object]]:
    rows: Counter[tuple[str, str]] = Counter()
    for count in counts:
        rows[count.column or "", count.rule] += count.rows
    return [{"column": column or None, "rule": rule, "rows": number} for (column, rule), number in rows.most_common()]
