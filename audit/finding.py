"""What tools say, in one form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One rule broken in one place: a construct's path for templates, file and line for sources."""

    rule: str
    place: str
    message: str  # what is wrong, and if the tool knows it, what to do

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one tool found. `rules` is how many rules it ran, where it tells."""

    tool: str
    rules: int | None
    findings: Sequence[Finding]


class ToolError(Exception):
    """A tool did not run to its end, so nothing is known: never to be taken for "no findings"."""
