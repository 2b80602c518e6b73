"""From cells to judged records: SQL that casts each cell, checks each rule and lists what is broken.

One statement over one object's records; it knows nothing of files, partitions or other records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.contract.plan import CELL, PROVENANCE, Column, Plan, Rule
from sluice.contract.sql import literal, quote
from sluice.kernel.outcome import SourceFile
from sluice.kernel.protect import HIDDEN, hashes, shielded, stored
from sluice.kernel.records import Records

# Columns of an examined record beside the plan's columns and the provenance columns.
RAW = "_sluice_raw"  # the record as it stood; may be NULL where it is accepted
BAD = "_sluice_bad"  # whether the record is rejected
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
    """A way to break the plan. `sound` is SQL that is false where a record does, `reason` and `value` tell how.

    It counts only where nothing is wrong before (`unless`): a record of the wrong shape has no cells to judge, and a
    cell of the wrong type no value.
    """

    column: str | None
    rule: str
    sound: str
    reason: str
    value: str = "NULL"
    unless: str = "_sluice_fault IS NOT NULL"
    stops: bool = False

    @property
    def entry(self) -> str:
        column = "NULL" if self.column is None else literal(self.column)
        return (
            f"CASE WHEN NOT ({self.unless}) AND ({self.sound}) IS FALSE THEN {{'column': {column}, "
            f"'rule': {literal(self.rule)}, 'reason': {self.reason}, 'value': {self.value}, "
            f"'stops': {literal(self.stops)}}} END"
        )


def examined(
    records: Records, plan: Plan, source: SourceFile, *, run_id: str, every_text: bool, salt: str | None = None
) -> tuple[str, dict[str, Any]]:
    """Return SQL and parameters of the examined records: plan columns, provenance, RAW, BAD, BROKEN.

    RAW is there for bad records, and for all of them with `every_text`, which is dear. `salt` is that of hashes.
    """
    records, columns = shielded(records, plan), (*plan.columns, *plan.omitted)
    given = {name: f"_sluice_given_{number}" for number, name in enumerate(records.cells)}
    breaches = list(_breaches(plan, records, given))
    own = ["_sluice_row", "_sluice_fault", *records.columns]
    cells = [f"{_nulled(cell, plan)} AS {quote(name)}" for name, cell in records.cells.items()]
    wanted = dict.fromkeys(column.source for column in columns if column.source is not None)
    cells += [f"NULL::VARCHAR AS {quote(name)}" for name in wanted if name not in records.cells]
    casted = [f"{quote(name)} IS NOT NULL AS {flag}" for name, flag in given.items()]
    casted += [f"{column.cast} AS {quote(column.name)}" for column in columns if column.source is not None]
    derived = [f"{column.cast} AS {quote(column.name)}" for column in columns if column.source is None]
    result = [stored(column) for column in plan.columns]
    result += [f"{_PROVENANCE_SQL[name]} AS {name}" for name, _ in PROVENANCE]
    result += [
        f"{records.raw if every_text else f'CASE WHEN {BAD} THEN {records.raw} END'} AS {RAW}",
        BAD,
        f"CASE WHEN {BAD} THEN {_listed(breaches)} END AS {BROKEN}",
    ]
    sql = f"""
    WITH records AS ({records.sql}
    ), cells AS (
        SELECT {_lines([*own, *cells])} FROM records
    ), casted AS (
        SELECT {_lines([*own, *casted])} FROM cells
    ), typed AS (
        SELECT {_lines(["*", *derived])} FROM casted
    ), judged AS (
        SELECT *, NOT coalesce({_all(breaches)}, true) AS {BAD} FROM typed
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
        **({"salt": salt} if hashes(plan) else {}),
    }


def texts(records: Records, plan: Plan, source: SourceFile) -> tuple[str, dict[str, Any]]:
    """Return SQL and parameters of the records' load, row number and text, for those who need the texts of a few."""
    raw = shielded(records, plan).raw
    sql = f"SELECT $load_id AS _sluice_load, _sluice_row, {raw} AS {RAW} FROM ({records.sql})"
    return sql, {**records.parameters, "load_id": source.load_id}


def rejects_repeats(plan: Plan) -> bool:
    """Whether a repeated primary key is a reject; in `merge` the loser is superseded instead."""
    return bool(plan.primary_key) and plan.mode != "merge"


def needs_texts(plan: Plan) -> bool:
    """Whether a record that is sound by itself may become a reject, and its text be wanted."""
    return rejects_repeats(plan) or bool(plan.unique)


def _breaches(plan: Plan, records: Records, given: Mapping[str, str]) -> Iterator[_Breach]:
    """Yield every way to break this plan, in the order in which they are reported.

    Rules that only warn are none: they are counted among the accepted records, later.
    """
    shaped = "_sluice_fault IS NULL"
    yield _Breach(column=None, rule=records.fault, sound=shaped, reason="_sluice_fault", unless="false")
    for column in (*plan.columns, *plan.omitted):
        yield from _column_breaches(column, plan, records.cells, given)
    for rule in plan.rules:
        if rule.column is None and rule.severity != "warn":
            reason = literal(f"expected {rule.expected}")
            stops = rule.severity == "stop"
            yield _Breach(column=None, rule=rule.name, sound=rule.predicate, reason=reason, stops=stops)


def _column_breaches(
    column: Column, plan: Plan, cells: Mapping[str, str], given: Mapping[str, str]
) -> Iterator[_Breach]:
    name = quote(column.name)
    value = cells.get(column.source or "") or ("NULL" if column.source else f"CAST({name} AS VARCHAR)")
    shown = f"coalesce({_shown(value)}, 'nothing')" if value != "NULL" else "'nothing'"
    if column.protect:
        value, shown = "NULL", literal(HIDDEN)
    unless = "_sluice_fault IS NOT NULL"
    if (flag := given.get(column.source or "")) and column.type != "string":
        reason = f"{literal(f'expected {column.expected or column.type}, got ')} || {shown}"
        if column.explain and not column.protect:
            reason = f"coalesce({column.explain.replace(CELL, value)}, {reason})"
        sound = f"NOT {flag} OR {name} IS NOT NULL"
        yield _Breach(column=column.name, rule="type", sound=sound, reason=reason, value=value)
        unless += f" OR NOT ({sound})"
    for rule in _rules(column, plan):
        yield _Breach(
            column=column.name,
            rule=rule.name,
            sound=rule.predicate,
            reason=f"{literal(f'expected {rule.expected}, got ')} || {shown}",
            value=value,
            unless=unless,
            stops=rule.severity == "stop",
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
    """The cell, without blanks around it if the plan says so, NULL where it is one of the null texts."""
    nulls = ", ".join(f"$null_{number}" for number in range(len(plan.reading.null_texts)))
    if plan.reading.blanks == "trim":
        cell = f"trim({cell}, ' ' || chr(9))"
    return f"CASE WHEN {cell} NOT IN ({nulls}) THEN {cell} END" if nulls else cell


def _all(breaches: list[_Breach]) -> str:
    """False where a record has any of the breaches; as a tree, since DuckDB bounds the depth of an expression."""
    if len(breaches) > 1:
        middle = len(breaches) // 2
        return f"({_all(breaches[:middle])} AND {_all(breaches[middle:])})"
    return f"({breaches[0].sound})"


def _listed(breaches: list[_Breach]) -> str:
    entries = f"[{_lines([breach.entry for breach in breaches])}]"
    return f"CAST(list_filter({entries}, lambda breach: breach IS NOT NULL) AS {BREACH}[])"


def _lines(items: list[str]) -> str:
    return ",\n            ".join(items)
