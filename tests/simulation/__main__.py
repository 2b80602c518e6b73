"""`python -m tests.simulation`: seeds, sweeps and controls from the command line.

Exit code 1 if anything ends wrong (for `--controls`: if a guard is not missed).
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from tests.simulation.runner import Report, run, shrunk, spread


def main(words: list[str]) -> int:
    """Run what the words ask for; what people read goes to stderr, JSON to stdout."""
    asked = _parse(words)
    if asked.controls:
        return _controls(asked)
    if asked.sweep:
        return _sweep(asked)
    if asked.play is not None:
        return _play(asked.play)
    report = run(range(asked.start, asked.start + asked.seeds), processes=asked.processes, guard=asked.without)
    for seed, said in sorted(report.wrong.items())[: asked.show]:
        _tell(seed, said, without=asked.without)
    _say(_summary(report))
    if asked.json:
        print(json.dumps(report.to_json()))
    return int(bool(report.wrong))


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many (100)")
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--processes", type=int, help="side by side (one a processor)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--show", type=int, default=3, help="failing seeds to tell about at length (3)")
    parser.add_argument("--without", default="", help="take a guard away")
    parser.add_argument("--play", type=int, metavar="SEED", help="one seed with its trace, shrunk if it ends wrong")
    parser.add_argument("--sweep", action="store_true", help="every single fault, and pairs on the publish path")
    parser.add_argument("--controls", action="store_true", help="every guard taken away; writes docs/exactly-once.md")
    return parser.parse_args(words)


def _play(seed: int) -> int:
    from tests.simulation.runner import quiet  # noqa: PLC0415  (AWS begins only where it is needed)
    from tests.simulation.scenario import play, shrink, write  # noqa: PLC0415

    quiet()
    scenario = write(seed)
    verdict = play(scenario, keep_trace=True)
    _say(str(scenario))
    for line in verdict.trace:
        _say(line)
    for line in verdict.wrong or ["holds"]:
        _say(f"=> {line}")
    if verdict.wrong:
        _say("the smallest story that ends wrong:")
        _say(str(shrink(scenario)))
    return int(bool(verdict.wrong))


def _tell(seed: int, said: list[str], *, without: str) -> None:
    small, trace = next(iter(spread(shrunk, [(seed, without)], processes=1)))
    for line in [*trace, *small.splitlines(), *said]:
        _say(f"seed {seed}: {line}")
    _say(f"again: python -m tests.simulation --play {seed}")


def _sweep(asked: argparse.Namespace) -> int:
    from tests.simulation.sweep import sweep  # noqa: PLC0415

    found = sweep(processes=asked.processes)
    for line in found.wrong[:20]:
        _say(line)
    _say(str(found))
    if asked.json:
        print(json.dumps(found.to_json()))
    return int(bool(found.wrong))


def _controls(asked: argparse.Namespace) -> int:
    from tests.simulation.table import measure, write_table  # noqa: PLC0415

    rows = measure(asked.seeds, processes=asked.processes, tell=_say)
    write_table(rows)
    return int(not all(row.holds for row in rows))


def _summary(report: Report) -> str:
    told: dict[str, Any] = report.to_json()
    return (
        ", ".join(f"{value} {name}" for name, value in told.items() if name != "wrong") + f", {len(report.wrong)} wrong"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
