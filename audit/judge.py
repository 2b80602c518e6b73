"""Which findings stay, after what was acknowledged; and which acknowledgements nobody needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit import nag, sources, templates
from audit.assembly import Acknowledgement, Assembly
from audit.finding import Finding, Report

_DEFAULT = ("AwsSolutions", "Serverless")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """One way to deploy, and the rule packs that it has to meet beside those that read templates."""

    name: str
    context: tuple[tuple[str, str], ...]
    packs: tuple[str, ...]


PROFILES = (
    Profile(name="default", context=(("env", "dev"),), packs=_DEFAULT),
    Profile(
        name="hardened",
        context=(("env", "prod"), ("hardened", "true"), ("alarm_mail", "alarms@example.org")),
        packs=(*_DEFAULT, "HIPAA.Security", "NIST.800.53.R5", "PCI.DSS.321"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one tool's findings in one profile."""

    profile: str
    report: Report
    open: Sequence[Finding]
    accepted: Sequence[tuple[Finding, Acknowledgement]]


def judge_all(folder: Path) -> Iterator[Verdict]:
    """Synthesize every profile below `folder`, run every tool and judge. Raises ToolError if one did not run."""
    for profile in PROFILES:
        target = folder / profile.name
        packs = nag.synthesize(target, packs=profile.packs, context=dict(profile.context))
        assembly = Assembly(target)
        for report in (
            *packs,
            *(tool(assembly) for tool in (templates.cfn_lint, templates.checkov, templates.cfn_guard)),
        ):
            yield judge(profile.name, report, assembly.acknowledgements)
    for report in (sources.bandit(), sources.zizmor()):
        yield judge("sources", report, ())


def judge(profile: str, report: Report, acknowledgements: Sequence[Acknowledgement]) -> Verdict:
    """Part a tool's findings into those that somebody answered for and the others."""
    accepted, still_open = [], []
    for finding in sorted(report.findings):
        answer = next((words for words in acknowledgements if words.covers(finding)), None)
        if answer is None:
            still_open.append(finding)
        else:
            accepted.append((finding, answer))
    return Verdict(profile=profile, report=report, open=still_open, accepted=accepted)


def unused(verdicts: Sequence[Verdict], acknowledgements: Sequence[Acknowledgement]) -> Sequence[Acknowledgement]:
    """Find the words that met no finding in any profile. The name of the environment does not count."""
    used = Counter(_words(words) for verdict in verdicts for _, words in verdict.accepted)
    return [words for words in acknowledgements if not used[_words(words)]]


def _words(words: Acknowledgement) -> tuple[str, str]:
    return words.rule, words.reason
