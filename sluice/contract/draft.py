"""A contract file written out from what was inferred: ODCS v3.1 in YAML, each choice with its evidence as a comment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from sluice.contract.infer import Inferred
from sluice.contract.plan import Reading
from sluice.contract.shape import quoted, shape_lines

_LOGICAL = {"int": "integer", "long": "integer", "double": "number"}
_DEFAULTS = Reading()
_OPTIONS = (
    ("format", "format"), ("delimiter", "delimiter"), ("quote", "quote"), ("escape", "escape"), ("header", "header"),
    ("skip_lines", "skipLines"), ("encoding", "encoding"), ("missing_columns", "missingColumns"),
)  # fmt: skip


def draft(
    dataset: str, columns: Sequence[Inferred], *, reading: Reading, null_texts: Sequence[str], samples: Sequence[str]
) -> str:
    """The text of the contract. `samples` names the files that it was inferred from."""
    return "\n".join(_lines(dataset, columns, reading, null_texts, samples)) + "\n"


def _lines(
    dataset: str, columns: Sequence[Inferred], reading: Reading, null_texts: Sequence[str], samples: Sequence[str]
) -> Iterator[str]:
    rows = max((column.profile.rows for column in columns), default=0)
    yield f"# Drafted from {rows:,} rows of {', '.join(_plain(name) for name in samples)}. Comments give the evidence;"
    yield "# samples never prove a rule: read each line, and strike out what only happens to be so."
    yield "apiVersion: v3.1.0"
    yield "kind: DataContract"
    yield f"id: {dataset}"
    yield f"name: {dataset}"
    yield 'version: "1.0.0"'
    yield "status: draft"
    yield "schema:"
    yield f"  - name: {dataset}"
    yield "    logicalType: object"
    yield "    physicalType: table"
    yield "    customProperties:"
    yield "      - property: sluice"
    yield "        value:"
    yield "          mode: append # or merge: the newest row of each key; or replace: the newest file"
    for attribute, option in _OPTIONS:
        value, default = getattr(reading, attribute), getattr(_DEFAULTS, attribute)
        if attribute == "escape":
            default = reading.quote
        if value != default:
            yield f"          {option}: {json.dumps(value)}"
    yield f"          nullTexts: {json.dumps(list(null_texts), ensure_ascii=False)}"
    yield "    properties:"
    for column in columns:
        yield from _property(column)


def _property(column: Inferred) -> Iterator[str]:
    yield f"      - name: {column.name} # {_evidence(column)}"
    for remark in column.remarks:
        yield f"        # {remark}"
    if column.profile.source != column.name:
        yield f"        physicalName: {quoted(column.profile.source)}"
    if column.profile.shape and column.kind in {"object", "array"}:
        yield from (f"        {line}" for line in shape_lines(column.profile.shape))
    else:
        yield from _scalar(column)
    if column.personal:
        yield "        # It may be about a person. To store a hash in its place (docs/contracts.md):"
        yield "        # classification: restricted"
        yield f"        # customProperties: [{{property: sluice, value: {{protect: {_protection(column)}}}}}]"


def _protection(column: Inferred) -> str:
    """What can be stored in place of the values."""
    return "hash" if column.kind == "string" else "omit"


def _scalar(column: Inferred) -> Iterator[str]:
    yield f"        logicalType: {_LOGICAL.get(column.kind, 'number' if '(' in column.kind else column.kind)}"
    if column.kind in {"double", "long"} or "(" in column.kind:
        yield f"        physicalType: {'bigint' if column.kind == 'long' else column.kind}"
    if column.required or column.key:
        yield "        required: true"
    if column.key:
        yield "        primaryKey: true"
        yield f"        primaryKeyPosition: {column.key}"
    options = {"format": column.form} if column.form else {}
    if column.not_negative:
        yield f"        logicalTypeOptions: {{minimum: 0}}{_range(column)}"
    elif options:
        yield f"        logicalTypeOptions: {json.dumps(options)}{_range(column)}"
    if column.values:
        yield "        quality:"
        yield "          - type: library"
        yield "            metric: invalidValues"
        yield f"            arguments: {{validValues: {json.dumps(list(column.values), ensure_ascii=False)}}}"
        yield "            mustBe: 0"


def _evidence(column: Inferred) -> str:
    profile = column.profile
    absent = profile.rows - profile.filled
    said = [f"{profile.distinct:,} different" if profile.distinct != profile.filled else "all different"]
    if absent:
        marks = ", ".join(f"{_plain(text)} {count:,} times" for text, count in profile.nulls.items())
        said.append(f"missing in {absent:,} of {profile.rows:,}" + (f" ({marks})" if marks else ""))
    else:
        said.append("never missing")
    if column.kind == "string" and profile.filled:
        said.append(f"{profile.shortest} to {profile.longest} characters")
    elif not (column.not_negative or column.form):
        said.append(_range(column).removeprefix(" # "))
    return ", ".join(part for part in said if part)


def _range(column: Inferred) -> str:
    family = "decimal" if "(" in column.kind else column.kind
    low, high = column.profile.least.get(family), column.profile.greatest.get(family)
    return f" # seen: {_plain(low)} to {_plain(high)}" if low is not None and high is not None else ""


def _plain(text: str) -> str:
    """A text inside a comment: no line ends, no control characters."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)
