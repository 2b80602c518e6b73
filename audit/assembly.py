"""A synthesized cloud assembly as the tools' findings need it: constructs by logical id, and acknowledgements."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from audit.finding import Finding
from stacks.acknowledged import ANYTHING, METADATA


@dataclass(frozen=True, order=True)
class Acknowledgement:
    """Findings of `rule` at the construct `path` and below it are accepted for a reason."""

    rule: str
    path: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is one of those that are accepted."""
        below = finding.place == self.path or finding.place.startswith(f"{self.path}/")
        pattern = ".*".join(map(re.escape, self.rule.split(ANYTHING)))
        return below and re.fullmatch(pattern, finding.rule) is not None


class Assembly:
    """The templates in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.templates: Sequence[Path] = sorted(folder.glob("*.template.json"))

    def construct(self, template: Path, logical_id: str) -> str:
        """Name the construct of a resource; the template itself if there is none of that id."""
        return self._paths[template.name].get(logical_id, template.name.removesuffix(".template.json"))

    @cached_property
    def _paths(self) -> Mapping[str, Mapping[str, str]]:
        return {
            template.name: {
                logical_id: resource.get("Metadata", {}).get("aws:cdk:path", logical_id)
                for logical_id, resource in json.loads(template.read_text(encoding="utf-8"))["Resources"].items()
            }
            for template in self.templates
        }

    @cached_property
    def acknowledgements(self) -> Sequence[Acknowledgement]:
        """All of them, in the order of rules."""
        return sorted(
            Acknowledgement(rule, path.removeprefix("/"), reason)
            for file in self.folder.glob("*.metadata.json")
            for path, entries in json.loads(file.read_text(encoding="utf-8")).items()
            for entry in entries
            if entry["type"] == METADATA
            for rule, reason in entry["data"].items()
        )
