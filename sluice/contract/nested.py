"""Nested columns: objects and arrays, written as JSON text in a cell, as Iceberg structs and lists.

Like a cell of any type, the text becomes a value exactly or not at all; one expression yields the value, another the
first thing that is wrong with it and the path to that. Members are told from one another by name, in any order; one
that is not there is NULL. How values inside are limited (`required`, `minimum`, ...) are rules like any other.

DuckDB reads JSON numbers through doubles, takes commas before a closing bracket, and knows NaN. So the text is spelled
anew first: numbers in quotes, with the digits that stood there, and what is no JSON made certainly none.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sluice.contract.cells import cell_cast
from sluice.contract.model import Property
from sluice.contract.plan import CELL, Rule
from sluice.contract.rules import rules_of
from sluice.contract.sql import literal, quote
from sluice.contract.types import duckdb_type, iceberg_type

MAX_DEPTH = 12
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_PIECES = r'"(?:[^"\\]|\\.)*"|[^"]+|"'  # strings, and what stands between them
_NO_JSON = r"(?i)nan|inf|,\s*[\]}]"
_SHOWN = 100  # characters of a value in a reason


def is_nested(item: Property) -> bool:
    """Whether the property is an object or an array."""
    return item.logical_type in {"object", "array"}


def nested_type(item: Property) -> str:
    """The Iceberg type of a nested property, in Iceberg's JSON form. Its field ids count from 1, for this type only."""
    _check_shape(item, 1)
    return json.dumps(_type(item, itertools.count(1)), separators=(",", ":"))


def nested_cast(cell: str, item: Property, *, ignore_unknown: bool) -> tuple[str, str]:
    """Return the expression over `cell` that yields the value, and the one over CELL that explains a bad text."""
    writer = _Writer(ignore_unknown=ignore_unknown)
    root = _Node("j", "", (literal(item.name),))
    fault, value = writer.fault(root, item), writer.value(root, item)
    kind = duckdb_type(nested_type(item))
    cast = f"list_transform([{_parsed(cell)}], lambda j: CASE WHEN {fault} IS NULL THEN CAST({value} AS {kind}) END)[1]"
    return cast, f"list_transform([{_parsed(CELL)}], lambda j: {fault})[1]"


def nested_rules(item: Property) -> Iterator[Rule]:
    """The rules of everything inside a nested property. Rules of the property itself: `rules_of`."""
    yield from _rules_within(item, item.name, item.name, lambda over: over(quote(item.name)), itertools.count())


@dataclass(frozen=True)
class _Node:
    """A place in the JSON of a cell: a pointer from the variable of a lambda, and the path as SQL texts."""

    variable: str
    pointer: str
    path: tuple[str, ...]

    def member(self, item: Property) -> _Node:
        name = item.in_file.replace("~", "~0").replace("/", "~1")
        return replace(self, pointer=f"{self.pointer}/{name}", path=(*self.path, literal(f".{item.name}")))

    @property
    def text(self) -> str:
        return f"json_extract_string({self._place})" if self.pointer else f"({self.variable} ->> '$')"

    @property
    def kind(self) -> str:
        return f"json_type({self._place})"

    @property
    def elements(self) -> str:
        return f"CAST({f'json_extract({self._place})' if self.pointer else self.variable} AS JSON[])"

    @property
    def keys(self) -> str:
        return f"json_keys({self._place})"

    def reason(self, words: str) -> str:
        """Return SQL of a reason: the path and the expected value there. `words` is SQL."""
        return f"concat({', '.join(self.path)}, ': ', {words})"

    @property
    def _place(self) -> str:
        return f"{self.variable}, {literal(self.pointer)}" if self.pointer else self.variable


class _Writer:
    """Writes the SQL of one nested property; variables of lambdas are numbered."""

    def __init__(self, *, ignore_unknown: bool) -> None:
        self._ignore_unknown = ignore_unknown
        self._numbers = itertools.count()

    def value(self, node: _Node, item: Property) -> str:
        """SQL of the value at the node; exact where there is no fault."""
        if item.logical_type == "object":
            members = ", ".join(
                f"{quote(member.name)} := {self.value(node.member(member), member)}" for member in item.members
            )
            return f"CASE WHEN {node.kind} = 'OBJECT' THEN struct_pack({members}) END"
        if item.items is not None:
            element = _Node(f"e{next(self._numbers)}", "", ())
            inner = self.value(element, item.items)
            each = f"list_transform({node.elements}, lambda {element.variable}: {inner})"
            return f"CASE WHEN {node.kind} = 'ARRAY' THEN {each} END"
        return _leaf_cast(node.text, item)[0]

    def fault(self, node: _Node, item: Property) -> str:
        """SQL of the first thing that is wrong at the node or below, NULL where nothing is."""
        if item.logical_type == "object":
            return self._object_fault(node, item)
        if item.items is not None:
            return self._array_fault(node, item.items)
        cast, expected = _leaf_cast(node.text, item)
        wrong = f"{literal(f'expected {expected}, got ')} || {_shown(node)}"
        return (
            f"CASE WHEN {node.kind} IN ('OBJECT', 'ARRAY') OR ({node.text} IS NOT NULL AND ({cast}) IS NULL)"
            f" THEN {node.reason(wrong)} END"
        )

    def _object_fault(self, node: _Node, item: Property) -> str:
        names = ", ".join(literal(member.in_file) for member in item.members)
        key = f"k{next(self._numbers)}"
        unknown = f"list_filter({node.keys}, lambda {key}: {key} NOT IN ({names}))"
        faults = ", ".join(self.fault(node.member(member), member) for member in item.members)
        words = f"concat('expected the members of the contract, got ', {unknown}[1][:{_SHOWN}], ', too')"
        strange = f" WHEN len({unknown}) > 0 THEN {node.reason(words)}"
        return (
            f"CASE WHEN {_is_not(node, 'OBJECT')} THEN {node.reason(_mismatch('an object', node))}"
            f" WHEN len({node.keys}) > len(list_distinct({node.keys}))"
            f" THEN {node.reason(literal('expected each member once, got one again'))}"
            f"{'' if self._ignore_unknown else strange} WHEN {node.kind} = 'OBJECT' THEN coalesce({faults}, NULL) END"
        )

    def _array_fault(self, node: _Node, item: Property) -> str:
        number = next(self._numbers)
        element = _Node(f"e{number}", "", (*node.path, "'['", f"i{number} - 1", "']'"))
        each = f"list_transform({node.elements}, lambda e{number}, i{number}: {self.fault(element, item)})"
        return (
            f"CASE WHEN {_is_not(node, 'ARRAY')} THEN {node.reason(_mismatch('an array', node))}"
            f" WHEN {node.kind} = 'ARRAY' THEN list_filter({each}, lambda f{number}: f{number} IS NOT NULL)[1] END"
        )


def _parsed(cell: str) -> str:
    """SQL of a text as JSON whose numbers are texts; `null` in it where the text is no JSON would hide that, so not."""
    number = literal(f"({_NUMBER})")
    spelled = (
        f"CASE WHEN starts_with(p, '\"') THEN p WHEN regexp_matches(p, {literal(_NO_JSON)}) THEN '!'"
        f" ELSE regexp_replace(p, {number}, '\"\\1\"', 'g') END"
    )
    pieces = f"list_transform(regexp_extract_all({cell}, {literal(_PIECES)}), lambda p: {spelled})"
    return f"TRY_CAST(array_to_string({pieces}, '') AS JSON)"


def _is_not(node: _Node, kind: str) -> str:
    """SQL: whether something else than `kind` or null stands at the node. At the root nothing may be missing."""
    if node.variable == "j" and not node.pointer:
        return f"coalesce({node.kind}, '') <> '{kind}'"
    return f"{node.kind} NOT IN ('{kind}', 'NULL')"


def _mismatch(expected: str, node: _Node) -> str:
    if node.variable == "j" and not node.pointer:
        return literal(f"expected {expected} in JSON, got something else")
    return f"{literal(f'expected {expected}, got ')} || {_shown(node)}"


def _shown(node: _Node) -> str:
    kinds = f"CASE WHEN {node.kind} = 'OBJECT' THEN 'an object' WHEN {node.kind} = 'ARRAY' THEN 'an array'"
    return f"{kinds} ELSE concat('''', {node.text}[:{_SHOWN}], '''') END"


def _leaf_cast(text: str, item: Property) -> tuple[str, str]:
    return cell_cast(item, text, iceberg_type(item))


def _check_shape(item: Property, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise item.source.error(f"nested deeper than {MAX_DEPTH} levels", "flatten the property")
    if item.logical_type == "object" and not item.members:
        raise item.source.error(
            f"property {item.name}: an object without properties",
            "write its properties, or another logicalType if its cells are plain values",
        )
    if item.logical_type == "array" and item.items is None:
        raise item.source.error(f"property {item.name}: an array without items", "write `items: {logicalType: string}`")
    for inner in (*item.members, *([item.items] if item.items else [])):
        _check_shape(inner, depth + 1)


def _type(item: Property, ids: Iterator[int]) -> Any:
    if item.logical_type == "object":
        numbers = [next(ids) for _ in item.members]
        fields = [
            {"id": number, "name": member.name, "required": False, "type": _type(member, ids)}
            for number, member in zip(numbers, item.members, strict=True)
        ]
        return {"type": "struct", "fields": fields}
    if item.items is not None:
        number = next(ids)
        return {"type": "list", "element-id": number, "element": _type(item.items, ids), "element-required": False}
    return iceberg_type(item)


_Wrap = Callable[[Callable[[str], str]], str]  # a condition over a value inside, to a condition over the column


def _rules_within(item: Property, column: str, path: str, wrap: _Wrap, numbers: Iterator[int]) -> Iterator[Rule]:
    for member in item.members:
        yield from _rules_of(member, column, f"{path}.{member.name}", _in_member(wrap, member.name), numbers)
    if item.items is not None:
        yield from _rules_of(item.items, column, f"{path}[]", _in_element(wrap, f"e{next(numbers)}"), numbers)


def _rules_of(item: Property, column: str, path: str, wrap: _Wrap, numbers: Iterator[int]) -> Iterator[Rule]:
    kind = nested_type(item) if is_nested(item) else iceberg_type(item)
    for rule in rules_of(replace(item, name=path), kind, key=False):

        def condition(value: str, predicate: str = rule.predicate) -> str:
            return predicate.replace(quote(path), value)

        yield replace(rule, column=column, predicate=wrap(condition), expected=f"{path}: {rule.expected}")
    yield from _rules_within(item, column, path, wrap, numbers)


def _in_member(wrap: _Wrap, name: str) -> _Wrap:
    def inner(condition: Callable[[str], str]) -> str:
        # A member of nothing breaks no rule.
        return wrap(lambda value: f"({value} IS NULL OR ({condition(f'struct_extract({value}, {literal(name)})')}))")

    return inner


def _in_element(wrap: _Wrap, variable: str) -> _Wrap:
    def inner(condition: Callable[[str], str]) -> str:
        each = f"lambda {variable}: ({condition(variable)})"
        return wrap(lambda value: f"NOT list_contains(list_transform({value}, {each}), false)")

    return inner
