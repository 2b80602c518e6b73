"""YAML text to plain values, strictly, before anything is asked about their meaning.

Refused: aliases (a few bytes of them can unfold to gigabytes), duplicate keys (the last one would win silently), more
than one document, custom tags, deep nesting, oversized text. Scalars follow YAML 1.2, so `NO`, `on`, `12:30` and
`2013-01-01` stay text. Knows nothing of the contract standard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from sluice.contract.model import Position

MAX_CHARACTERS = 4 << 20
MAX_DEPTH = 64


@dataclass(frozen=True)
class Document:
    """The values of a file and the line on which each of them stands."""

    file: str
    value: Any
    lines: dict[str, int]

    def at(self, path: str) -> Position:
        """The place of `path`, or of the nearest part around it that exists."""
        around = path
        while around and around not in self.lines:
            around = around[: max(around.rfind("."), around.rfind("["), 0)]
        return Position(self.file, path, self.lines.get(around, 0))


def read_document(text: str, *, file: str) -> Document:
    """Parse `text`. Raises ContractError with the line of the fault."""
    if len(text) > MAX_CHARACTERS:
        raise Position(file).error(f"the file has more than {MAX_CHARACTERS} characters", "split it by dataset")
    try:
        loader = _Loader(text, file)
        root = loader.get_single_node()
        lines: dict[str, int] = {}
        _walk(root, "", lines, file)
        value = loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise Position(file, "", line).error(f"not valid YAML: {problem}", "correct the syntax on this line") from error
    except (yaml.YAMLError, ValueError) as error:
        raise Position(file).error(f"not valid YAML: {error}", "write plain UTF-8 YAML") from error
    if not isinstance(value, dict):
        raise Position(file).error("the file holds no mapping", "write an Open Data Contract Standard v3 document")
    return Document(file, value, lines)


class _Loader(yaml.SafeLoader):
    """SafeLoader without aliases and without the surprises of YAML 1.1 scalars."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own shape)

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self._file = file
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        source = Position(self._file, "", event.start_mark.line + 1)
        if isinstance(event, yaml.AliasEvent):
            raise source.error(f"the YAML alias *{event.anchor} is not allowed", "write the value out")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise source.error(f"nested deeper than {MAX_DEPTH} levels", "flatten the document")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"]),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)

_Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: Decimal(node.value))  # exact, as it was written


def _walk(node: yaml.Node | None, path: str, lines: dict[str, int], file: str) -> None:
    """Note the line of every part and refuse keys that stand twice in one mapping."""
    if node is None:
        return
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _walk(item, f"{path}[{position}]", lines, file)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            source = Position(file, path, key.start_mark.line + 1)
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                raise source.error("a key must be a plain word", "write `name: value`")
            if key.value in seen:
                raise source.error(f"the key {key.value!r} stands twice", "keep one of them")
            seen.add(key.value)
            child = f"{path}.{key.value}" if path else key.value
            lines[child] = key.start_mark.line + 1
            _walk(value, child, lines, file)
