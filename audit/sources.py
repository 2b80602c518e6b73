"""Checkers that read the project's own files: bandit for Python, zizmor for the workflows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from audit.command import BIN, ROOT, answer_of, json_of
from audit.finding import Finding, Report

_PYTHON = ("app.py", "audit", "glue_jobs", "lambdas", "sluice", "stacks")
# Rules that are off, with the reason. ruff runs the same checks (S) and wants a reason at each line for most of them.
BANDIT_OFF: Mapping[str, str] = MappingProxyType(
    {
        "B101": "ruff's S101 forbids assert but where a line says why: jsii knows only general types",
        "B311": "randomness spreads retries and makes faults in tests; nothing secret is drawn (S311)",
        "B404": "importing subprocess is no defect; each call is judged (S603)",
        "B603": "every command is a list of words of ours, without a shell; S603 wants the reason at each line",
        "B607": "git is what the PATH of whoever types the command says it is; S607 wants the reason at each line",
        "B608": "the kernel's SQL is compiled from validated, quoted identifiers; values are bound, never formatted",
    }
)


def bandit(paths: Sequence[Path | str] = _PYTHON) -> Report:
    """Python that is known to be dangerous."""
    command: list[str | Path] = [
        BIN / "bandit", "--quiet", "--recursive", "--format", "json", "--skip", ",".join(BANDIT_OFF), *paths,
    ]  # fmt: skip
    said = json_of(command, fine=frozenset({0, 1}))
    return Report(
        tool="bandit",
        rules=_bandit_rules() - len(BANDIT_OFF),
        findings=[
            Finding(result["test_id"], f"{result['filename']}:{result['line_number']}", result["issue_text"])
            for result in said["results"]
        ],
    )


def _bandit_rules() -> int:
    """Count the rules that it tells of in its help."""
    said = answer_of([BIN / "bandit", "--help"], fine=frozenset({0}))
    return len(set(re.findall(r"^\s+(B\d{3})\b", said, re.MULTILINE)))


def zizmor(path: Path = ROOT / ".github" / "workflows") -> Report:
    """Workflows that give away more than they should. The rules that ask GitHub are left out."""
    command: list[str | Path] = [BIN / "zizmor", "--offline", "--quiet", "--no-exit-codes"]
    command += ["--persona", "pedantic", "--format", "json", path]
    said = json_of(command, fine=frozenset({0}))
    return Report(
        tool="zizmor",
        rules=None,
        findings=[
            Finding(
                result["ident"],
                _where(result["locations"][0]),
                f"{result['desc']}: {result['locations'][0]['symbolic']['annotation']}",
            )
            for result in said
        ],
    )


def _where(location: Mapping[str, Any]) -> str:
    file, line = location["symbolic"]["key"]["Local"]["verbatim_path"], location["concrete"]["location"]["start_point"]
    return f"{file}:{line['row'] + 1}"
