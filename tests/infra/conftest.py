"""The synthesized templates as the tests of this folder read them: by kind, and by the path of the construct."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Resource:
    """One resource. `path` is its construct's path without stack and trailing `Resource`: `Pipeline/Claim/Role`."""

    logical_id: str
    stack: str
    kind: str
    path: str
    properties: Mapping[str, Any]
    body: Mapping[str, Any]


class Templates:
    """All stacks of an assembly as one set of resources."""

    def __init__(self, assembly: Path) -> None:
        self.files = sorted(assembly.glob("*.template.json"))
        self.by_stack = {path.name.split(".")[0]: json.loads(path.read_text(encoding="utf-8")) for path in self.files}

    @cached_property
    def resources(self) -> Sequence[Resource]:
        return [
            Resource(
                logical_id,
                stack,
                body["Type"],
                body["Metadata"]["aws:cdk:path"].removeprefix(f"{stack}/").removesuffix("/Resource"),
                body.get("Properties", {}),
                body,
            )
            for stack, template in self.by_stack.items()
            for logical_id, body in template["Resources"].items()
        ]

    def of(self, kind: str) -> Sequence[Resource]:
        """All resources of a type; never none, so that a loop over them tests something."""
        found = [resource for resource in self.resources if resource.kind == kind]
        assert found, f"no {kind}"
        return found

    def at(self, path: str) -> Resource:
        """The resource at a construct's path."""
        found = [resource for resource in self.resources if resource.path == path]
        assert len(found) == 1, f"{len(found)} resources at {path}"
        return found[0]

    @property
    def outputs(self) -> Mapping[str, Any]:
        return {
            name: output["Value"]
            for template in self.by_stack.values()
            for name, output in template.get("Outputs", {}).items()
        }

    def grants(self) -> Iterator[tuple[str, str, str]]:
        """Everything that is allowed: (path of the role, action, resource as text)."""
        roles = {role.logical_id: role.path for role in self.of("AWS::IAM::Role")}
        for policy in self.of("AWS::IAM::Policy"):
            for statement in policy.properties["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Allow"
                for role in policy.properties["Roles"]:
                    for action in as_list(statement["Action"]):
                        for resource in as_list(statement["Resource"]):
                            yield roles[role["Ref"]], action, text_of(resource)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str:
    """A template value as text: intrinsic functions become `<what they refer to>`."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return separator.join(text_of(part) for part in parts)
        case {"Ref": name} | {"Fn::ImportValue": name} | {"Fn::Sub": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
    raise AssertionError(f"unread value {value!r}")


@pytest.fixture(scope="session")
def templates(assembly: Path) -> Templates:
    return Templates(assembly)
