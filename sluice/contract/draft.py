"""A contract file written out from what was inferred: ODCS v3.1 in YAML, each choice with its evidence as a comment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.contract.infer import Inferred
from sluice.contract.model import Spelling
from sluice.contract.plan import Mode, Reading
from sluice.contract.shape import quoted, shape_lines

_LOGICAL = {"int": "integer", "long": "integer", "double": "number"}
_DEFAULTS = Reading()
_OPTIONS = (
    ("format", "format"), ("delimiter", "delimiter"), ("quote", "quote"), ("escape", "escape"), ("header", "header"),
    ("header_lines", "headerLines"), ("skip_lines", "skipLines"), ("skip_footer", "skipFooter"), ("comment", "comment"),
    ("blanks", "blanks"), ("ragged_rows", "raggedRows"),
    ("record_path", "recordPath"), ("sheet", "sheet"), ("cell_range", "cellRange"), ("encoding", "encoding"),
    ("missing_columns", "missingColumns"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A contract to be: what was inferred of the samples, and what a person should know of each choice.

    `findings` are about the files as a whole; `exceptions` maps columns (None: records) to what the draft rejects of
    the samples, in words.
    """

    dataset: str
    columns: Sequence[Inferred]
    reading: Reading
    null_texts: Sequence[str]
    samples: Sequence[str]
    mode: Mode = "append"
    findings: Sequence[str] = ()
    exceptions: Mapping[str | None, Sequence[str]] = field(default_factory=dict)

    @property
    def spelling(self) -> Spelling:
        """How all numbers with decimals are spelled, if they are spelled alike."""
        own = {column.spelling for column in self.columns if column.kind == "double" or "(" in column.kind}
        signs, marks = {one.decimal for one in own}, {one.thousands for one in own} - {""}
        if len(signs) != 1 or len(marks) > 1:
            return Spelling()
        return Spelling(decimal=signs.pop(), thousands=next(iter(marks), ""))

    def text(self) -> str:
        """The contract file."""
        return "\n".join(_lines(self)) + "\n"


def _lines(draft: Draft) -> Iterator[str]:
    rows = max((column.profile.rows for column in draft.columns), default=0)
    samples = ", ".join(_plain(name) for name in draft.samples)
    yield f"# Drafted from {rows:,} rows of {samples}. Comments give the evidence;"
    yield "# samples never prove a rule: read each line, and strike out what only happens to be so."
    for finding in (*draft.findings, *draft.exceptions.get(None, ())):
        yield f"# - {_plain(finding)}"
    yield "apiVersion: v3.1.0"
    yield "kind: DataContract"
    yield f"id: {draft.dataset}"
    yield f"name: {draft.dataset}"
    yield 'version: "1.0.0"'
    yield "status: draft"
    yield "schema:"
    yield f"  - name: {draft.dataset}"
    yield "    logicalType: object"
    yield "    physicalType: table"
    yield "    customProperties:"
    yield "      - property: sluice"
    yield "        value:"
    yield f"          mode: {_MODES[draft.mode]}"
    for attribute, option in _OPTIONS:
        value, default = getattr(draft.reading, attribute), getattr(_DEFAULTS, attribute)
        if attribute == "escape":
            default = draft.reading.quote
        if value != default:
            yield f"          {option}: {json.dumps(value)}"
    yield from (f"          {option}: {value}" for option, value in _spelled(draft.spelling, Spelling()).items())
    yield f"          nullTexts: {json.dumps(list(draft.null_texts), ensure_ascii=False)}"
    yield "    properties:"
    for column in draft.columns:
        yield from _property(column, draft)


_MODES: Mapping[Mode, str] = {
    "append": "append # every row of every file; or merge: the newest row of each key; or replace: the newest file",
    "merge": "merge # the newest row of each key; or append: every row of every file; or replace: the newest file",
    "replace": "replace # the newest file; or merge: the newest row of each key; or append: every row of every file",
}


def _spelled(spelling: Spelling, default: Spelling) -> Mapping[str, str]:
    """The options that say the spelling, as JSON, where it differs from the default."""
    named = {
        "decimalSeparator": (spelling.decimal, default.decimal),
        "thousandsSeparator": (spelling.thousands, default.thousands),
        "trueTexts": (list(spelling.true_texts), list(default.true_texts)),
        "falseTexts": (list(spelling.false_texts), list(default.false_texts)),
    }
    return {name: json.dumps(own, ensure_ascii=False) for name, (own, usual) in named.items() if own != usual}


def _property(column: Inferred, draft: Draft) -> Iterator[str]:
    yield f"      - name: {column.name} # {_evidence(column)}"
    for remark in (*column.remarks, *draft.exceptions.get(column.name, ())):
        yield f"        # {_plain(remark)}"
    if column.profile.source != column.name:
        yield f"        physicalName: {quoted(column.profile.source)}"
    if column.profile.shape and column.kind in {"object", "array"}:
        yield from (f"        {line}" for line in shape_lines(column.profile.shape))
    else:
        yield from _scalar(column, draft.spelling)
    if column.personal:
        yield "        # It may be about a person. To store a hash in its place (docs/contracts.md):"
        yield "        # classification: restricted"
        yield f"        # customProperties: [{{property: sluice, value: {{protect: {_protection(column)}}}}}]"


def _protection(column: Inferred) -> str:
    """Return the protection that a column of this type can have."""
    return "hash" if column.kind == "string" else "omit"


def _scalar(column: Inferred, spelling: Spelling) -> Iterator[str]:
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
    yield from _spelling(column, spelling)
    if column.values:
        yield "        quality:"
        yield "          - type: library"
        yield "            metric: invalidValues"
        yield f"            arguments: {{validValues: {json.dumps(list(column.values), ensure_ascii=False)}}}"
        yield "            mustBe: 0"


def _spelling(column: Inferred, common: Spelling) -> Iterator[str]:
    """The property's own spelling, where it is not that of the whole table."""
    own, usual = column.spelling, Spelling()
    if column.kind in {"int", "long"}:  # a decimal sign says nothing of whole numbers
        usual = Spelling(decimal=own.decimal, thousands=common.thousands)
    elif column.kind == "double" or "(" in column.kind:
        usual = replace(common, thousands=common.thousands if own.thousands else "")
    if said := _spelled(own, usual):
        written = ", ".join(f"{name}: {value}" for name, value in said.items())
        yield f"        customProperties: [{{property: sluice, value: {{{written}}}}}]"


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
