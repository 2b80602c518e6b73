"""CloudFormation templates as data: an assembly's stacks, dependencies, intrinsic functions. No AWS calls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

_NOTHING: Final = object()  # AWS::NoValue: the property is left out
_SUB = re.compile(r"\$\{([^!${}][^${}]*)\}")
_PSEUDO = "AWS::"


class UnsupportedTemplate(Exception):  # noqa: N818  (it reads as what it is)
    """The template asks for something that the offline AWS would have to drop silently. It refuses instead."""

    def __init__(self, what: str, *, stack: str = "", resource: str = "") -> None:
        self.what, self.stack, self.resource = what, stack, resource
        where = f"{stack}/{resource}: " if resource else f"{stack}: " if stack else ""
        super().__init__(f"{where}{what}")


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A file or folder that a template refers to by its place in an asset bucket."""

    path: Path
    bucket: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One stack of an assembly."""

    name: str
    region: str | None
    template: Mapping[str, Any]
    assets: Sequence[Asset]

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """Resources by logical id."""
        found: Mapping[str, Mapping[str, Any]] = self.template.get("Resources", {})
        return found

    def in_order(self) -> Iterator[str]:
        """Logical ids, each after all that it refers to or depends on."""
        graph = {}
        for logical_id, resource in self.resources.items():
            explicit = resource.get("DependsOn", [])
            named = {explicit} if isinstance(explicit, str) else set(explicit)
            graph[logical_id] = (named | set(_references(resource))) & set(self.resources) - {logical_id}
        return iter(TopologicalSorter(graph).static_order())


def read_assembly(folder: Path) -> Sequence[Stack]:
    """The stacks of a cloud assembly (`cdk.out`), each after those it depends on."""
    folder = folder.resolve()
    artifacts = json.loads((folder / "manifest.json").read_text())["artifacts"]
    order = TopologicalSorter({name: artifact.get("dependencies", []) for name, artifact in artifacts.items()})
    stacks = []
    for name in order.static_order():
        artifact = artifacts.get(name, {})
        match artifact.get("type"):
            case "aws:cloudformation:stack":
                stacks.append(_stack(folder, name, artifact, artifacts))
            case "cdk:cloud-assembly":
                raise UnsupportedTemplate("nested cloud assemblies (stages) are not read", stack=name)
    if not stacks:
        raise UnsupportedTemplate(f"{folder} holds no stack")
    return stacks


def _stack(folder: Path, name: str, artifact: Mapping[str, Any], artifacts: Mapping[str, Any]) -> Stack:
    _, _, place = artifact["environment"].partition("://")
    region = place.partition("/")[2]
    assets: list[Asset] = []
    for dependency in artifact.get("dependencies", []):
        manifest = artifacts.get(dependency, {})
        if manifest.get("type") == "cdk:asset-manifest":
            assets += _assets(folder, json.loads((folder / manifest["properties"]["file"]).read_text()), name)
    return Stack(
        name=artifact.get("properties", {}).get("stackName", name),
        region=None if region in {"", "unknown-region"} else region,
        template=json.loads((folder / artifact["properties"]["templateFile"]).read_text()),
        assets=assets,
    )


def _assets(folder: Path, manifest: Mapping[str, Any], stack: str) -> Iterator[Asset]:
    if manifest.get("dockerImages"):
        raise UnsupportedTemplate("Docker image assets", stack=stack)
    for entry in manifest.get("files", {}).values():
        for destination in entry["destinations"].values():
            yield Asset(
                path=folder / entry["source"]["path"], bucket=destination["bucketName"], key=destination["objectKey"]
            )


def _references(value: Any) -> Iterator[str]:
    """Names that a value refers to by Ref, GetAtt or Sub."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else item.partition(".")[0]
            elif key == "Fn::Sub":
                text = item if isinstance(item, str) else item[0]
                yield from (name.partition(".")[0] for name in _SUB.findall(text))
                yield from _references(item)
            else:
                yield from _references(item)


@dataclass
class Scope:
    """The meaning of names while one stack is deployed."""

    stack: str
    pseudo: Mapping[str, str]
    exports: Mapping[str, Any]
    parameters: Mapping[str, Any]
    mappings: Mapping[str, Any]
    refs: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, stack: Stack, *, pseudo: Mapping[str, str], exports: Mapping[str, Any]) -> Scope:
        """The scope at the start of a deployment. A parameter needs a default."""
        parameters = {}
        for name, parameter in stack.template.get("Parameters", {}).items():
            if "Default" not in parameter:
                raise UnsupportedTemplate(f"parameter {name} has no default", stack=stack.name)
            parameters[name] = parameter["Default"]
        scope = cls(stack.name, pseudo, exports, parameters, stack.template.get("Mappings", {}))
        scope.conditions = dict(stack.template.get("Conditions", {}))
        return scope

    def resolve(self, value: Any) -> Any:
        """A value with every intrinsic function worked out."""
        match value:
            case dict() if len(value) == 1 and (function := next(iter(value))) in _FUNCTIONS:
                return _FUNCTIONS[function](self, value[function])
            case dict() if len(value) == 1 and next(iter(value)).startswith("Fn::"):
                raise UnsupportedTemplate(f"intrinsic function {next(iter(value))}", stack=self.stack)
            case dict():
                resolved = {key: self.resolve(item) for key, item in value.items()}
                return {key: item for key, item in resolved.items() if item is not _NOTHING}
            case list():
                return [item for item in map(self.resolve, value) if item is not _NOTHING]
            case _:
                return value

    def holds(self, condition: str) -> bool:
        """Whether a named condition is true."""
        return bool(self.resolve(self.conditions[condition]))

    def ref(self, name: str) -> Any:
        """Return the value of Ref."""
        if name == "AWS::NoValue":
            return _NOTHING
        for known in (self.pseudo, self.refs, self.parameters):
            if name in known:
                return known[name]
        raise UnsupportedTemplate(f"Ref to {name}, which is not there", stack=self.stack)

    def attribute(self, name: str, attribute: str) -> str:
        """Return the value of GetAtt."""
        try:
            return self.attributes[name][attribute]
        except KeyError:
            raise UnsupportedTemplate(f"GetAtt {name}.{attribute} is not known", stack=self.stack) from None

    def imported(self, name: str) -> Any:
        """Return the value of ImportValue."""
        if name not in self.exports:
            raise UnsupportedTemplate(f"ImportValue {name}: no stack before this one exports it", stack=self.stack)
        return self.exports[name]

    def substituted(self, argument: Any) -> str:
        """Return the value of Sub."""
        text, local = (argument, {}) if isinstance(argument, str) else (argument[0], self.resolve(argument[1]))

        def value(found: re.Match[str]) -> str:
            name = found[1].strip()
            if name in local:
                return str(local[name])
            resource, dot, attribute = name.partition(".")
            is_attribute = dot and not name.startswith(_PSEUDO)
            return str(self.attribute(resource, attribute) if is_attribute else self.ref(name))

        return _SUB.sub(value, text).replace("${!", "${")


def _attribute(scope: Scope, argument: Any) -> str:
    name, _, attribute = argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
    return scope.attribute(name, scope.resolve(attribute))


def _mapped(scope: Scope, argument: Sequence[Any]) -> Any:
    name, first, second = map(scope.resolve, argument)
    return scope.mappings[name][first][second]


def _selected(scope: Scope, argument: Sequence[Any]) -> Any:
    index, items = map(scope.resolve, argument)
    return items[int(index)]


_FUNCTIONS: Mapping[str, Callable[[Scope, Any], Any]] = {
    "Ref": lambda scope, name: scope.ref(name),
    "Condition": lambda scope, name: scope.holds(name),
    "Fn::GetAtt": _attribute,
    "Fn::Sub": lambda scope, argument: scope.substituted(argument),
    "Fn::Join": lambda scope, argument: argument[0].join(map(str, scope.resolve(argument[1]))),
    "Fn::Split": lambda scope, argument: scope.resolve(argument[1]).split(argument[0]),
    "Fn::Select": _selected,
    "Fn::FindInMap": _mapped,
    "Fn::ImportValue": lambda scope, argument: scope.imported(scope.resolve(argument)),
    "Fn::If": lambda scope, argument: scope.resolve(argument[1] if scope.holds(argument[0]) else argument[2]),
    "Fn::Equals": lambda scope, argument: scope.resolve(argument[0]) == scope.resolve(argument[1]),
    "Fn::Not": lambda scope, argument: not scope.resolve(argument[0]),
    "Fn::And": lambda scope, argument: all(map(scope.resolve, argument)),
    "Fn::Or": lambda scope, argument: any(map(scope.resolve, argument)),
}
