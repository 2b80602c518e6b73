"""`python -m audit [PAGE]`: run every checker, print what is open, write the page. Answers 1 if anything is open."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from audit.assembly import Assembly
from audit.finding import ToolError
from audit.judge import PROFILES, judge_all, unused
from audit.table import page


def main(target: Path | None) -> int:
    """Run, print one line a tool and one for each finding that is open."""
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="sluice-audit-") as name:
        folder = Path(name)
        for verdict in judge_all(folder):
            verdicts.append(verdict)
            said = f"{len(verdict.report.findings)} found, {len(verdict.accepted)} acknowledged"
            print(f"{verdict.report.tool:24} {verdict.profile:9} {said}, {len(verdict.open)} open", flush=True)
            for finding in verdict.open:
                print(f"  {finding}")
        words = [word for profile in PROFILES for word in Assembly(folder / profile.name).acknowledgements]
        idle = unused(verdicts, words)
    for word in idle:
        print(f"  {word.path}: nothing found for {word.rule}: remove this acknowledgement")
    if target is not None:
        target.write_text(page(verdicts), encoding="utf-8")
    found = sum(len(verdict.open) for verdict in verdicts)
    if found:
        print("sluice: correct these, or acknowledge them with a reason beside the construct (stacks/acknowledged.py)")
    return 1 if found or idle else 0


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    except ToolError as error:
        print(f"sluice: {error}", file=sys.stderr)
        sys.exit(3)
