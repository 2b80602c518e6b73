"""From cells to judged records: SQL that casts each cell, checks each rule and lists what is broken.

One statement over one object's records; it knows nothing of files, partitions or other records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.contract.plan import PROVENANCE, Column, Plan, Rule
from sluice.contract.sql import literal, quote
from sluice.kernel.header import sources
from sluice.kernel.outcome import SourceFile
from sluice.kernel.records import Records

# Columns of an examined record beside the plan's columns and the provenance columns.
RAW = "_sluice_raw"  # the record as it stood; NULL where nothing can be wrong with it any more
BROKEN = "_sluice_broken"  # list of BREACH, NULL for a record that is accepted
BREACH = 'STRUCT("column" VARCHAR, "rule" VARCHAR, "reason" VARCHAR, "value" VARCHAR, "stops" BOOLEAN)'

_SHOWN = 100  # characters of a cell in a reason; the cell itself stands in `value`
_PROVENANCE_SQL = {
    "_sluice_load": "$load_id",
    "_sluice_object": "$object_key",
    "_sluice_version": "$version_id",
    "_sluice_order": "$object_order",
    "_sluice_row": "_sluice_row",
    "_sluice_contract": "$contract",
    "_sluice_run": "$run_id",
}


@dataclass(frozen=True, kw_only=True)
class _Breach:
    """A way to break the plan: `condition` is SQL that is true where a record does, `reason` and `value` tell how."""

    column: str | None
    rule: str
    condition: str
    reason: str
    value: str = "NULL"
    severity: str = "reject"

    @property
    def entry(self) -> str:
        column = "NULL" if self.column is None else literal(self.column)
        return (
            f"CASE WHEN {self.condition} THEN {{'column': {column}, 'rule': {literal(self.rule)}, "
            f"'reason': {self.reason}, 'value': {self.value}, 'stops': {literal(self.severity == 'stop')}}} END"
        )


def examined(records: Records, plan: Plan, source: SourceFile, *, run_id: str) -> tuple[str, dict[str, Any]]:
    """SQL and parameters of the examined records: plan columns, provenance, RAW, BROKEN."""
    texts = {name: f"_sluice_text_{number}" for number, name in enumerate(records.cells)}
    broken = list(_breaches(plan, records, texts))
    cells = [f"{_nulled(cell, plan)} AS {quote(name)}, {cell} AS {texts[name]}" for name, cell in records.cells.items()]
    cells += [f"NULL::VARCHAR AS {quote(name)}" for name in sources(plan) if name not in records.cells]
    casted = [f"{text}, {quote(name)} IS NOT NULL AS {text}_given" for name, text in texts.items()]
    casted += [f"{column.cast} AS {quote(column.name)}" for column in plan.columns if column.source is not None]
    derived = [f"{column.cast} AS {quote(column.name)}" for column in plan.columns if column.source is None]
    result = [quote(column.name) for column in plan.columns]
    result += [f"{_PROVENANCE_SQL[name]} AS {name}" for name, _ in PROVENANCE]
    result += [
        f"{RAW if rejects_repeats(plan) else f'CASE WHEN _sluice_bad THEN {RAW} END'} AS {RAW}",
        f"{_listed('_sluice_bad', broken)} AS {BROKEN}",
    ]
    sql = f"""
    WITH records AS ({records.sql}
    ), cells AS (
        SELECT _sluice_row, _sluice_fault, {RAW}, {_lines(cells)} FROM records
    ), casted AS (
        SELECT _sluice_row, _sluice_fault, {RAW}, {_lines(casted)} FROM cells
    ), typed AS (
        SELECT {_lines(["*", *derived])} FROM casted
    ), judged AS (
        SELECT *, {_any(broken)} AS _sluice_bad FROM typed
    )
    SELECT {_lines(result)} FROM judged"""
    return sql, {
        **records.parameters,
        **{f"null_{number}": text for number, text in enumerate(plan.reading.null_texts)},
        "load_id": source.load_id,
        "object_key": source.key,
        "version_id": source.version_id,
        "object_order": source.order,
        "contract": plan.version,
        "run_id": run_id,
    }


def rejects_repeats(plan: Plan) -> bool:
    """Whether a repeated primary key is a reject; in `merge` the loser is superseded instead."""
    return bool(plan.primary_key) and plan.mode != "merge"


def _breaches(plan: Plan, records: Records, texts: Mapping[str, str]) -> Iterator[_Breach]:
    """Yield every way to break this plan, in the order in which they are reported.

    Rules that only warn are none: they are counted among the accepted records, later.
    """
    yield _Breach(column=None, rule=records.fault, condition="_sluice_fault IS NOT NULL", reason="_sluice_fault")
    for column in plan.columns:
        yield from _column_breaches(column, plan, texts.get(column.source or ""))
    for rule in plan.rules:
        if rule.column is None and rule.severity != "warn":
            condition = f"_sluice_fault IS NULL AND ({rule.predicate}) IS FALSE"
            reason = literal(f"expected {rule.expected}")
            yield _Breach(column=None, rule=rule.name, condition=condition, reason=reason, severity=rule.severity)


def _column_breaches(column: Column, plan: Plan, text: str | None) -> Iterator[_Breach]:
    """A cell of the wrong type breaks `type` and no other rule of its column: there is no value to judge."""
    name = quote(column.name)
    value = text or ("NULL" if column.source else f"CAST({name} AS VARCHAR)")
    shown = f"coalesce({_shown(value)}, 'nothing')" if value != "NULL" else "'nothing'"
    typed = "_sluice_fault IS NULL"
    if text and column.type != "string":
        condition = f"{typed} AND {text}_given AND {name} IS NULL"
        reason = f"{literal(f'expected {column.expected or column.type}, got ')} || {shown}"
        yield _Breach(column=column.name, rule="type", condition=condition, reason=reason, value=value)
        typed += f" AND NOT ({text}_given AND {name} IS NULL)"
    for rule in _rules(column, plan):
        condition = f"{typed} AND ({rule.predicate}) IS FALSE"
        reason = f"{literal(f'expected {rule.expected}, got ')} || {shown}"
        yield _Breach(
            column=column.name, rule=rule.name, condition=condition, reason=reason, value=value, severity=rule.severity
        )


def _rules(column: Column, plan: Plan) -> Iterator[Rule]:
    """The rules of one column; `required` first where the plan implies it without a rule of its own."""
    own = [rule for rule in plan.rules if rule.column == column.name and rule.severity != "warn"]
    implied = column.required or column.name in plan.primary_key
    if implied and not any(rule.name == "required" for rule in own):
        predicate = f"{quote(column.name)} IS NOT NULL"
        yield Rule(name="required", column=column.name, predicate=predicate, expected="a value")
    yield from own


def _shown(value: str) -> str:
    """The cell in quotation marks, cut short."""
    mark = literal("'")
    return f"{mark} || {value}[:{_SHOWN}] || CASE WHEN length({value}) > {_SHOWN} THEN '...' ELSE '' END || {mark}"


def _nulled(cell: str, plan: Plan) -> str:
    """The cell, NULL where it is one of the null texts."""
    nulls = ", ".join(f"$null_{number}" for number in range(len(plan.reading.null_texts)))
    return f"CASE WHEN {cell} NOT IN ({nulls}) THEN {cell} END" if nulls else cell


def _any(breaches: list[_Breach]) -> str:
    """True where a record has any of the breaches; as a tree, since DuckDB bounds the depth of an expression."""
    if len(breaches) > 1:
        middle = len(breaches) // 2
        return f"({_any(breaches[:middle])} OR {_any(breaches[middle:])})"
    return f"({breaches[0].condition})" if breaches else "false"


def _listed(condition: str, breaches: list[_Breach]) -> str:
    if not breaches:
        return f"CAST(NULL AS {BREACH}[])"
    entries = f"[{_lines([breach.entry for breach in breaches])}]"
    found = f"list_filter({entries}, lambda breach: breach IS NOT NULL)"
    return f"CASE WHEN {condition} THEN CAST({found} AS {BREACH}[]) END"


def _lines(items: list[str]) -> str:
    return ",\n            ".join(items)
