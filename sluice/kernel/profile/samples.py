"""Sample files read by the kernel's own readers, every column as text, and how their columns are scanned afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sluice.contract.plan import Column, Plan, Reading
from sluice.contract.sql import cell_names, literal
from sluice.kernel.outcome import Limits, Outcome, OutputFile, SourceFile
from sluice.kernel.transform import transform


def all_text(dataset: str, names: Sequence[str], reading: Reading) -> Plan:
    """A plan that takes every column as it stands. Columns are named by number: headers may be anything."""
    cells = cell_names(names)
    columns = tuple(
        Column(name=f"c{at}", source=name, type="string", cast=cells[name]) for at, name in enumerate(names)
    )
    lenient = replace(reading, null_texts=(), missing_columns="null")
    return Plan(dataset=dataset, version="draft", mode="append", reading=lenient, columns=columns)


def read_as_text(sources: Sequence[SourceFile], plan: Plan, *, folder: Path, limits: Limits) -> Outcome:
    """Read samples under a plan of `all_text`. What is rejected has no proper shape."""
    return transform(sources, plan, out=folder / "text", scratch=folder / "scratch", run_id="draft", limits=limits)


def data_files(outcome: Outcome) -> Sequence[OutputFile]:
    """The files of accepted rows."""
    return [file for file in outcome.files if file.kind == "data"]


def folders(files: Sequence[OutputFile]) -> set[Path]:
    """Where the files are."""
    return {file.path.parent for file in files}


def scan(files: Sequence[OutputFile]) -> str:
    """SQL of the relation that the files hold together."""
    return f"read_parquet([{', '.join(literal(str(file.path)) for file in files)}], hive_partitioning = false)"
