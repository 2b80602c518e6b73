"""`make bench`: Sluice's kernel beside its peers and beside what reading and writing cost at least, in one run.

    python benchmarks/compare.py [--scale 1] [--rounds 3] [--only kernel,duckdb_copy] [--growth 0.1,1,5] [--out FILE]

Every run is a process of its own; rounds are interleaved, so that a busy moment of the machine hits everyone; medians
count. All must agree on rows and sums, else there is no table.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from data import CASES, lineitem
from measure import Cost, Result, result, run

from sluice.project import load_plan

HERE = Path(__file__).parent
WORK = HERE.parent / "build" / "bench"
MEMORY_GB = 4.0
KERNEL, ALONE, COPY = "kernel", "kernel_alone", "duckdb_copy"


@dataclass(frozen=True)
class Contender:
    """Who, in words; `share` of the scale and `most` rounds for those that would take the whole morning."""

    words: str
    share: float = 1
    most: int = 99
    does_the_job: bool = True


CONTENDERS = {
    "kernel": Contender("**Sluice's kernel**, two threads"),
    "kernel_alone": Contender("**Sluice's kernel**, one thread"),
    "polars_lazy": Contender("Polars", most=2),
    "pyarrow_compute": Contender("pyarrow, numpy", most=2),
    "pandas_wrangler": Contender("pandas, awswrangler's way", most=1),
    "spark_local": Contender("Spark, local[2]", most=1),
    "dlt_pipeline": Contender("dlt, at a fiftieth of the scale", share=0.02, most=1),
    "duckdb_copy": Contender("limit: DuckDB copies text, unchecked", does_the_job=False),
    "pyarrow_read": Contender("limit: pyarrow reads, writes nothing", does_the_job=False),
}
Runs = dict[tuple[str, str], list[Cost]]  # by case and contender


def say(text: str) -> None:
    """Show progress."""
    sys.stderr.write(f"{datetime.now(tz=UTC):%H:%M:%S} {text}\n")


def measured(scale: float, rounds: int, names: Sequence[str], cases: Sequence[str]) -> tuple[Runs, dict[str, Result]]:
    """Run everyone on every case; the slow ones on the case `repeated` only."""
    runs: Runs = {}
    agreed: dict[str, Result] = {}
    for number in range(rounds):
        for case, name in _turns(names, cases, number):
            who = CONTENDERS[name]
            used = scale * who.share
            cost, out = run(name, lineitem(WORK / "data", used, case), memory_gb=MEMORY_GB, folder=WORK / "run")
            runs.setdefault((case, name), []).append(cost)
            say(
                f"round {number + 1}, SF{used:g} {case}: {name} {cost.cpu:.1f} s CPU, {cost.wall:.1f} s, {cost.peak} MB"
            )
            if who.does_the_job:
                _check(agreed, f"SF{used:g} {case}", name, result(out))
    return runs, agreed


def _turns(names: Sequence[str], cases: Sequence[str], number: int) -> Iterator[tuple[str, str]]:
    for case in cases:
        for name in names:
            fast = name in {KERNEL, ALONE, COPY}
            if number < CONTENDERS[name].most and (fast or case == cases[-1]):
                yield case, name


def _check(agreed: dict[str, Result], case: str, name: str, found: Result) -> None:
    expected = agreed.setdefault(case, found)
    if found != expected:
        raise SystemExit(f"{name} disagrees on {case}: {found}, expected {expected}")


def _told(cost: Cost) -> str:
    return f"{cost.cpu:.1f} s CPU, {cost.wall:.1f} s, {cost.peak} MB"


Grown = list[tuple[str, int, Cost | None]]  # what ran, its accepted rows, and its cost; None where it failed


def growth(scales: Sequence[float], rounds: int) -> Grown:
    """Run the kernel at several scales, and the largest under a memory limit of 1 GB. A failure is a result, too."""
    rows: dict[str, int] = {}
    costs: dict[str, list[Cost]] = {}
    plenty = [(scale, MEMORY_GB, ALONE) for scale in scales]
    for number in range(rounds):
        for scale, memory, name in [*plenty, (scales[-1], 1.0, ALONE), (scales[-1], 1.0, KERNEL)]:
            words = f"SF{scale:g}, memory_limit {memory:g} GB, {'one thread' if name == ALONE else 'two threads'}"
            measures = costs.setdefault(words, [])
            try:
                cost, out = run(name, lineitem(WORK / "data", scale, CASES[-1]), memory_gb=memory, folder=WORK / "run")
            except RuntimeError as error:
                say(f"growth, round {number + 1}, {words}: {error}")
                continue
            rows[words] = result(out).rows
            measures.append(cost)
            say(f"growth, round {number + 1}, {words}: {_told(cost)}")
    return [
        (words, rows.get(words, 0), _median(measures) if len(measures) == rounds else None)
        for words, measures in costs.items()
    ]


def report(runs: Runs, agreed: dict[str, Result], grown: Grown, scale: float, rounds: int) -> str:
    """The tables, in Markdown."""
    lines = [*_heading(scale, rounds), ""]
    for case in CASES:
        here = {name: _median(costs) for (of, name), costs in runs.items() if of == case}
        if not here:
            continue
        lines += [f"## SF{scale:g}, {_CASE_WORDS[case]}", ""]
        lines += ["| | rounds | CPU s | against the kernel | against the copy | wall s | peak MiB | Parquet MB |"]
        lines += ["|---|---|---|---|---|---|---|---|"]
        for name in CONTENDERS:
            if name in here:
                lines.append(_row(name, here, len(runs[case, name])))
        lines.append("")
    if grown:
        lines += ["## Growth, with repeated keys", "", "| | accepted rows | CPU s | µs CPU a row | wall s | peak MiB |"]
        lines += ["|---|---|---|---|---|---|"]
        for words, rows, cost in grown:
            if cost is None:
                lines.append(f"| {words} | failed | | | | |")
                continue
            each = cost.cpu / rows * 1e6
            lines.append(f"| {words} | {rows:,} | {cost.cpu:.1f} | {each:.2f} | {cost.wall:.1f} | {cost.peak} |")
        lines.append("")
    lines += ["## What all agree on", ""]
    for case, found in agreed.items():
        lines.append(
            f"- {case}: {found.rows:,} rows accepted, {found.rejected:,} rejected, quantities {found.quantity}, "
            f"net prices {found.net_price}, {found.ship_days:,} days of shipping."
        )
    return "\n".join(lines) + "\n"


_CASE_WORDS = {
    "clean": "no broken rows",
    "broken": "broken rows, no repeated keys",
    "repeated": "broken rows and repeated keys",
}


def _heading(scale: float, rounds: int) -> list[str]:
    now = f"{datetime.now(tz=UTC):%Y-%m-%d %H:%M}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    packages = ("duckdb", "polars", "pyarrow", "pandas", "pyspark", "dlt", "tpchgen-cli")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return [
        "# Benchmark",
        "",
        "TPC-H lineitem as CSV: parse, 16 casts with reasons, rules, the first row of each key, 2 derived columns,",
        "zstd Parquet by year, rejects with reasons and text. `data.py` says what is broken, `job.py` what the job is.",
        "",
        f'- Command: `make bench BENCH_OPTIONS="--scale {scale:g} --rounds {rounds}"`, {now} UTC.',
        f"- Machine: {os.cpu_count()} cores, {memory} GB, {platform.machine()}, {platform.system()}.",
        f"- Load averages at the end: {load}.",
        f"- Versions: Python {platform.python_version()}, {versions}.",
        "- CPU is user and system time of the process and its children; peak is the largest of any of its processes.",
        "  Medians of interleaved rounds, but their largest peak. dlt runs at a fiftieth of the scale; its times and",
        "  sizes are multiplied by 50.",
        "- The kernel compresses with zstd at level 1, as pyarrow does; DuckDB and Polars at their default of 3.",
        "- With two threads the kernel copies the file into two portions first. Peers are compared with one thread.",
        "- The kernel runs without pandas in reach, as in the package that is deployed.",
    ]


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        cpu=median(cost.cpu for cost in costs),
        wall=median(cost.wall for cost in costs),
        peak=max(cost.peak for cost in costs),
        size=round(median(cost.size for cost in costs)),
    )


def _row(name: str, here: dict[str, Cost], rounds: int) -> str:
    who, cost = CONTENDERS[name], here[name]
    cpu, wall = cost.cpu / who.share, cost.wall / who.share
    kernel = f"{cpu / here[ALONE].cpu:.2f}" if ALONE in here else ""
    copy = f"{cpu / here[COPY].cpu:.2f}" if COPY in here else ""
    size = f"{cost.size / who.share / 1e6:.0f}"
    return f"| {who.words} | {rounds} | {cpu:.1f} | {kernel} | {copy} | {wall:.1f} | {cost.peak} | {size} |"


def main() -> None:
    """Parse the options, run, write the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders, with commas between them")
    parser.add_argument("--cases", default=",".join(CASES), help="cases, with commas between them")
    parser.add_argument("--growth", default="0.1,1,5", help="scales, with commas between them; empty for none")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    given = parser.parse_args()
    names = [name for name in CONTENDERS if name in given.only.split(",")]
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "lineitem.json").write_text(load_plan(HERE / "contracts" / "lineitem.odcs.yaml").to_json())
    runs, agreed = measured(
        given.scale, given.rounds, names, [case for case in CASES if case in given.cases.split(",")]
    )
    given.out.write_text(
        report(runs, agreed, [], given.scale, given.rounds)
    )  # what is known is not lost with what comes
    grown = growth([float(scale) for scale in given.growth.split(",")], given.rounds) if given.growth else []
    shutil.rmtree(WORK / "run", ignore_errors=True)
    given.out.write_text(report(runs, agreed, grown, given.scale, given.rounds))
    say(f"written: {given.out}")


if __name__ == "__main__":
    main()
