"""Rules of a contract as predicates over typed columns, named by the standard's own words.

NULL breaks only `required` and `missingValues`: the other predicates are NULL on it. Checks over many rows (counts,
duplicates) are not rules: `judging`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import assert_never

from sluice.contract.metrics import metric
from sluice.contract.model import Property, QualityCheck, Scalar
from sluice.contract.patterns import check_pattern
from sluice.contract.plan import Rule
from sluice.contract.sql import literal, quote
from sluice.contract.types import INTEGER_FORMATS, decimal_parts
from sluice.contract.values import literal_for

_LIMITS = (
    ("minimum", "minimum", ">=", "at least"),
    ("exclusive_minimum", "exclusiveMinimum", ">", "more than"),
    ("maximum", "maximum", "<=", "at most"),
    ("exclusive_maximum", "exclusiveMaximum", "<", "less than"),
)
_LENGTHS = (("min_length", "minLength", ">=", "at least"), ("max_length", "maxLength", "<=", "at most"))
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FORMATS = {
    "uuid": "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "email": r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*:\S+",
    "hostname": rf"{_LABEL}(\.{_LABEL})*",
    "ipv4": rf"{_BYTE}(\.{_BYTE}){{3}}",
}
_WORDS = {"password", "byte", "binary"}  # say how to treat a text, not what it looks like
_MAX_LISTED = 12
_TRUNCATE = re.compile(r"truncate\[([0-9]+)\]")


def rules_of(item: Property, kind: str, *, key: bool) -> Iterator[Rule]:
    """All rules of a property whose column has the Iceberg type `kind`. Raises ContractError where one cannot apply."""
    if item.required or key:
        yield _rule(item, "required", "{column} IS NOT NULL", "a value")
    yield from _limits(item, kind)
    yield from _partitionable(item, kind)
    yield from _lengths(item, kind)
    yield from _items(item, kind)
    if item.options.pattern is not None:
        yield _pattern(item, kind, item.options.pattern)
    yield from _format(item, kind)
    if item.enum:
        yield _enum(item, kind, item.enum)
    for check in item.checks:
        if metric(check.kind).is_by_row and check.limit.is_none:
            yield replace(check_rule(item, kind, check), severity=check.severity)


def text_format(cell: str, form: str) -> str:
    """The condition that a text has one of the standard's formats: uuid, email, uri, hostname, ipv4."""
    return f"regexp_full_match({cell}, {literal(_FORMATS[form])})"


def _rule(item: Property, name: str, predicate: str, expected: str) -> Rule:
    text = predicate.replace("{column}", quote(item.name))
    return Rule(name=name, column=item.name, predicate=text, expected=expected)


def _partitionable(item: Property, kind: str) -> Iterator[Rule]:
    """Refuse numbers whose partition value does not fit the column's type: `truncate` rounds down, below the smallest.

    Iceberg's specification is silent about them (apache/iceberg#9767), pyiceberg fails, and Java wraps around.
    """
    found = _TRUNCATE.fullmatch(item.partition_transform)
    smallest, scale = _smallest(kind)
    if found is None or smallest is None:
        return
    width = int(found[1])
    least = Decimal(-(-smallest // width) * width).scaleb(-scale)
    yield _rule(item, "minimum", f"{{column}} >= {least:f}", f"at least {least:f}, which {found[0]} can partition")


def _smallest(kind: str) -> tuple[int | None, int]:
    """Return the smallest unscaled number of a type, and its scale; None for a type that is no number."""
    match kind:
        case "int":
            return -(1 << 31), 0
        case "long":
            return -(1 << 63), 0
    parts = decimal_parts(kind)
    return (1 - 10 ** parts[0], parts[1]) if parts else (None, 0)


def _limits(item: Property, kind: str) -> Iterator[Rule]:
    for attribute, name, operator, words in _LIMITS:
        value = getattr(item.options, attribute)
        if value is None:
            continue
        if kind in {"string", "boolean"}:
            raise item.source.error(f"property {item.name}: {name} does not apply to {kind}", "remove it")
        yield _rule(item, name, f"{{column}} {operator} {literal_for(item, kind, value)}", f"{words} {value}")
    multiple = item.options.multiple_of
    if multiple is None:
        return
    if isinstance(multiple, bool) or not isinstance(multiple, int | Decimal) or multiple <= 0:
        raise item.source.error(f"property {item.name}: multipleOf is {multiple!r}", "write a number above 0")
    if kind not in {"int", "long"} and decimal_parts(kind) is None:
        raise item.source.error(
            f"property {item.name}: multipleOf has no exact meaning for {kind}", "use integer or decimal(p,s)"
        )
    yield _rule(item, "multipleOf", f"{{column}} % {literal(multiple)} = 0", f"a multiple of {multiple}")


def _lengths(item: Property, kind: str) -> Iterator[Rule]:
    for attribute, name, operator, words in _LENGTHS:
        value = getattr(item.options, attribute)
        if value is None:
            continue
        _only_text(item, kind, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise item.source.error(f"property {item.name}: {name} is {value!r}", "write a whole number from 0")
        yield _rule(item, name, f"length({{column}}) {operator} {value}", f"{words} {value} characters")


def _items(item: Property, kind: str) -> Iterator[Rule]:
    options = item.options
    for name, value, operator, words in (
        ("minItems", options.min_items, ">=", "at least"),
        ("maxItems", options.max_items, "<=", "at most"),
        ("uniqueItems", options.unique_items, "", ""),
    ):
        if value is None or value is False:
            continue
        if item.items is None:
            raise item.source.error(f"property {item.name}: {name} does not apply to {kind}", "use logicalType array")
        if name == "uniqueItems":
            given = "list_filter({column}, lambda item: item IS NOT NULL)"
            yield _rule(item, name, f"len(list_distinct({given})) = len({given})", "each item once")
        elif isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise item.source.error(f"property {item.name}: {name} is {value!r}", "write a whole number from 0")
        else:
            yield _rule(item, name, f"len({{column}}) {operator} {value}", f"{words} {value} items")
    if options.required:
        names = {member.name for member in item.members}
        if missing := [name for name in options.required if name not in names]:
            raise item.source.error(f"property {item.name}: required names {missing[0]!r}", "name its properties")


def _format(item: Property, kind: str) -> Iterator[Rule]:
    form = item.options.format
    if kind == "string" and form is not None and form not in _WORDS:
        if form not in _FORMATS:
            raise item.source.error(
                f"property {item.name}: format {form!r} is not checked", f"use pattern, or one of {', '.join(_FORMATS)}"
            )
        yield _rule(item, "format", text_format("{column}", form), form)
    held = INTEGER_FORMATS[form][1] if form in INTEGER_FORMATS else None
    if held:
        yield _rule(item, "format", f"{{column}} BETWEEN {held[0]} AND {held[1]}", f"{form}, {held[0]} to {held[1]}")


def check_rule(item: Property, kind: str, check: QualityCheck) -> Rule:
    """The rule that a row breaks if a metric counts it. Raises ContractError where it cannot apply."""
    match check.kind:
        case "nullValues":
            return _rule(item, "required", "{column} IS NOT NULL", "a value")
        case "missingValues":
            values = ", ".join(literal_for(item, kind, value) for value in check.values)
            listed = f" AND {{column}} NOT IN ({values})" if values else ""
            return _rule(item, "missingValues", "{column} IS NOT NULL" + listed, "a value")
        case "invalidValues" if check.pattern is not None:
            return _pattern(item, kind, check.pattern)
        case "invalidValues":
            return _enum(item, kind, check.values)
        case "rowCount" | "duplicateValues" | "sql":
            raise ValueError(f"{check.kind} judges no single row")
        case _:
            assert_never(check.kind)


def _pattern(item: Property, kind: str, pattern: str) -> Rule:
    """A match anywhere in the text, as in JSON Schema: `^` and `$` tie it down."""
    _only_text(item, kind, "pattern")
    try:
        check_pattern(pattern)
    except ValueError as error:
        raise item.source.error(f"property {item.name}: pattern {pattern!r}: {error}", "write it without") from error
    return _rule(item, "pattern", f"regexp_matches({{column}}, {literal(pattern)})", f"text like {pattern}")


def _enum(item: Property, kind: str, values: tuple[Scalar, ...]) -> Rule:
    listed = ", ".join(str(value) for value in values[:_MAX_LISTED])
    more = f", ... ({len(values)} values)" if len(values) > _MAX_LISTED else ""
    literals = ", ".join(literal_for(item, kind, value) for value in values)
    return _rule(item, "enum", f"{{column}} IN ({literals})", f"one of {listed}{more}")


def _only_text(item: Property, kind: str, name: str) -> None:
    if kind != "string":
        raise item.source.error(
            f"property {item.name}: {name} does not apply to {kind}", "remove it, or use logicalType string"
        )
