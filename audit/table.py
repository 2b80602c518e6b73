"""The verdicts as a page for people: docs/checks.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from audit.judge import Verdict
from audit.sources import BANDIT_OFF

_HEAD = """\
# Checkers

What other people's checkers say of the synthesized templates and of the sources. `make audit` runs them, offline, and
writes this page; it fails on a finding neither corrected nor acknowledged, and on an acknowledgement of nothing.
Acknowledgements stand beside the construct that they concern (`acknowledge(...)` in `stacks/`).

*default* is `-c env=dev`, *hardened* is `-c env=prod -c hardened=true` ([hardened.md](hardened.md)). Rules are those
that a tool knows; for checkov and cfn-guard those that met a resource.
"""


def page(verdicts: Sequence[Verdict]) -> str:
    """Write the page."""
    return "\n".join([_HEAD, *_tools(verdicts), "", *_reasons(verdicts), "", *_off()]) + "\n"


def _tools(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "| tool | profile | rules run | findings | acknowledged | open |"
    yield "|---|---|---|---|---|---|"
    for v in verdicts:
        rules = "all offline" if v.report.rules is None else str(v.report.rules)
        found = len(v.report.findings)
        yield f"| {v.report.tool} | {v.profile} | {rules} | {found} | {len(v.accepted)} | {len(v.open)} |"


def _reasons(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "## What is acknowledged, and why"
    yield ""
    yield "| reason | rules | findings |"
    yield "|---|---|---|"
    rules: dict[str, set[str]] = defaultdict(set)
    counts: dict[str, int] = defaultdict(int)
    for verdict in verdicts:
        for _, words in verdict.accepted:
            rules[words.reason].add(words.rule)
            counts[words.reason] += 1
    for reason in sorted(rules):
        yield f"| {reason} | {', '.join(f'`{rule}`' for rule in sorted(rules[reason]))} | {counts[reason]} |"


def _off() -> Iterator[str]:
    yield "## Rules of bandit that are off"
    yield ""
    yield "| rule | reason |"
    yield "|---|---|"
    for rule, reason in BANDIT_OFF.items():
        yield f"| `{rule}` | {reason} |"
