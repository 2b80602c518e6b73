"""From cells to judged records: SQL that casts each cell and checks all rules at once.

One statement over one object's records; it knows nothing of files, partitions or other records. Which rules a rejected
record breaks is told afterwards, from what it carries along (`explain`): most records are sound, and telling is dear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sluice.contract.plan import PROVENANCE, Column, Plan, Rule
from sluice.contract.sql import cell_names, literal, quote
from sluice.kernel.judging.protect import hashes, shielded, stored
from sluice.kernel.outcome import SourceFile
from sluice.kernel.readers.records import Records

_IDENTIFIER = re.compile(r'"(?:[^"]|"")*"')
Query = tuple[str, Mapping[str, Any]]  # a SELECT and its parameters

# Columns of an examined record beside the plan's columns and the provenance columns.
RAW = "_sluice_raw"  # the record as it stood, where it was asked for
BAD = "_sluice_bad"  # whether the record is rejected
GIVEN = "_sluice_given"  # what a rejected record was made of, as JSON (`explain`); NULL if it is accepted

_PROVENANCE_SQL = {
    "_sluice_load": "$load_id",
    "_sluice_object": "$object_key",
    "_sluice_version": "$version_id",
    "_sluice_order": "$object_order",
    "_sluice_row": "_sluice_row",
    "_sluice_contract": "$contract",
    "_sluice_run": "$run_id",
}


@dataclass(frozen=True)
class AppliedRule:
    """A rule in force, and the column that it is about; None for the whole record."""

    column: Column | None
    rule: Rule
    of_type: bool = False  # whether the cell is a text of the column's type


@dataclass(frozen=True)
class Listed:
    """A DuckDB type of the texts that a column may have, by the rule with this predicate."""

    type: str
    predicate: str


def examined(
    records: Records,
    plan: Plan,
    source: SourceFile,
    *,
    run_id: str,
    with_text: str,
    salt: str | None = None,
    listed: Mapping[str, Listed] = MappingProxyType({}),
) -> tuple[str, dict[str, Any]]:
    """Return SQL and parameters of the examined records: plan columns, provenance, RAW, BAD, GIVEN.

    RAW is there where `with_text` holds, which is SQL over a typed record: to write all texts is dear. `salt` is that
    of hashes. Columns that are `listed` have those types; a text that is not in the list becomes NULL: its record is
    rejected, and carries its cells along (`explain`).
    """
    records = shielded(records, plan)
    checked = checks(plan, lambda column: _given_flags(plan)[column.source or ""])
    result = [
        f"{listed[column.name].type} AS {quote(column.name)}" if column.name in listed else stored(column)
        for column in plan.columns
    ]
    result += [f"{_PROVENANCE_SQL[name]} AS {name}" for name, _ in PROVENANCE]
    result += [
        f"CASE WHEN {with_text} THEN {records.raw} END AS {RAW}",
        BAD,
        f"CASE WHEN {BAD} THEN {_given(records, plan, checked)} END AS {GIVEN}",
    ]
    sql = f"""
    {_typed(records, plan, listed)}, judged AS (
        SELECT *, NOT coalesce({_all(_conditions(checked, listed))}, true) AS {BAD} FROM typed
    )
    SELECT {_lines(result)} FROM judged"""
    return sql, {
        **_reading_parameters(records, plan),
        "load_id": source.load_id,
        "object_key": source.key,
        "version_id": source.version_id,
        "object_order": source.order,
        "contract": plan.version,
        "run_id": run_id,
        **({"salt": salt} if hashes(plan) else {}),
    }


def typed(records: Records, plan: Plan, columns: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return SQL and parameters of these columns of all records, sound or not; nothing else is computed."""
    names = _lines([quote(name) for name in columns])
    return f"{_typed(records, plan)} SELECT {names} FROM typed", _reading_parameters(records, plan)


def _typed(records: Records, plan: Plan, listed: Mapping[str, Listed] = MappingProxyType({})) -> str:
    """Return the WITH clause of `typed`: the records' own columns, flags of what is given, and all typed columns."""
    columns, flags = (*plan.columns, *plan.omitted), _given_flags(plan)
    own = ["_sluice_row", "_sluice_fault", *records.columns]
    names = cell_names([*cast_sources(plan), *records.cells])
    cells = [f"{nulled(cell, plan, _bound_nulls(plan))} AS {names[name]}" for name, cell in records.cells.items()]
    cells += [f"NULL::VARCHAR AS {names[name]}" for name in flags if name not in records.cells]
    casted = [f"{names[name]} IS NOT NULL AS {flag}" for name, flag in flags.items()]
    casted += [f"{_cast(column, records)} AS {quote(column.name)}" for column in columns if column.source is not None]
    casted += [
        f"TRY_CAST({_cast(column, records)} AS {listed[column.name].type}) AS {listed[column.name].type}"
        for column in columns
        if column.name in listed
    ]
    derived = [f"{column.cast} AS {quote(column.name)}" for column in columns if column.source is None]
    return f"""WITH records AS ({records.sql}
    ), cells AS (
        SELECT {_lines([*own, *cells])} FROM records
    ), casted AS (
        SELECT {_lines([*own, *casted])} FROM cells
    ), typed AS (
        SELECT {_lines(["*", *derived])} FROM casted
    )"""


def _cast(column: Column, records: Records) -> str:
    """The cast of a column: that of values where the file's cell is one."""
    typed = records.typed.get(column.source or "", "false") if column.typed_cast else "false"
    match typed:
        case "false":
            return column.cast
        case "true":
            return column.typed_cast
        case flag:
            return f"CASE WHEN {flag} THEN {column.typed_cast} ELSE {column.cast} END"


def _given_flags(plan: Plan) -> dict[str, str]:
    """Return the names of flags, by source column: whether its cell holds a text."""
    return {name: f"_sluice_given_{number}" for number, name in enumerate(cast_sources(plan))}


def _reading_parameters(records: Records, plan: Plan) -> dict[str, Any]:
    nulls = {f"null_{number}": text for number, text in enumerate(plan.reading.null_texts)}
    return {**records.parameters, **nulls}


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Where the texts of records are found again, for those who need the texts of a few."""

    relation: str  # a SELECT, with the columns `by`
    text: str  # SQL over it
    load: str = "_sluice_load"  # SQL over it
    by: str = "_sluice_load, _sluice_row"
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def of(self, table: str) -> str:
        """Return the SELECT of load, row number and RAW of the records in a table that has loads and row numbers."""
        return f"""
            SELECT {self.load} AS _sluice_load, _sluice_row, {self.text} AS {RAW}
            FROM ({self.relation}) SEMI JOIN {table} USING ({self.by})"""


EXAMINED_TEXTS = Texts(relation="FROM examined", text=RAW)


def texts(records: Records, plan: Plan, source: SourceFile) -> Texts:
    """Return the texts of one object's records; nothing is made of a record that nobody asks for."""
    raw = shielded(records, plan).raw
    parameters = {**records.parameters, "load_id": source.load_id}
    return Texts(relation=records.sql, text=raw, load="$load_id", by="_sluice_row", parameters=parameters)


def rejects_repeats(plan: Plan) -> bool:
    """Whether a repeated primary key is a reject; in `merge` the loser is superseded instead."""
    return bool(plan.primary_key) and plan.mode != "merge"


def needs_texts(plan: Plan) -> bool:
    """Whether a record that is sound by itself may become a reject, and its text be wanted."""
    return rejects_repeats(plan) or bool(plan.unique)


def cast_sources(plan: Plan) -> list[str]:
    """What columns are cast from, in order."""
    columns = (*plan.columns, *plan.omitted)
    return list(dict.fromkeys(column.source for column in columns if column.source is not None))


def nulled(cell: str, plan: Plan, nulls: Sequence[str]) -> str:
    """The cell, without blanks around it if the plan says so, NULL where it is one of the null texts."""
    if plan.reading.blanks == "trim":
        cell = f"trim({cell}, ' ' || chr(9))"
    return f"CASE WHEN {cell} NOT IN ({', '.join(nulls)}) THEN {cell} END" if nulls else cell


def is_text_as_it_stands(column: Column, plan: Plan) -> bool:
    """Whether the typed column is its cell, which a rejected record carries along."""
    as_it_stands = (
        column.type == "string" and column.source is not None and _IDENTIFIER.fullmatch(column.cast) is not None
    )
    return as_it_stands and not column.typed_cast and column.source not in _hidden(plan)


def _hidden(plan: Plan) -> set[str | None]:
    """Return the source columns whose cells are shown to nobody."""
    return {column.source for column in (*plan.columns, *plan.omitted) if column.protect}


def checks(plan: Plan, is_given: Callable[[Column], str]) -> list[AppliedRule]:
    """Return all that a record is checked for, in the order in which it is reported; its shape comes before that.

    `is_given` yields SQL: whether the column's cell holds a text. Rules that only warn are left out: they are counted
    among the accepted records, later.
    """
    found = []
    for column in (*plan.columns, *plan.omitted):
        if column.source is not None and (column.type != "string" or column.typed_cast):
            sound = f"NOT {is_given(column)} OR {_is_there(column)}"
            expected = column.expected or column.type
            rule = Rule(name="type", column=column.name, predicate=sound, expected=expected)
            found.append(AppliedRule(column, rule, of_type=True))
        found += [AppliedRule(column, rule) for rule in _rules(column, plan)]
    return found + [AppliedRule(None, rule) for rule in plan.rules if rule.column is None and rule.severity != "warn"]


def _rules(column: Column, plan: Plan) -> Iterator[Rule]:
    """The rules of one column; `required` first where the plan implies it without a rule of its own."""
    own = [rule for rule in plan.rules if rule.column == column.name and rule.severity != "warn"]
    implied = column.required or column.name in plan.primary_key
    if implied and not any(rule.name == "required" for rule in own):
        yield Rule(name="required", column=column.name, predicate=_is_there(column), expected="a value")
    yield from own


def _is_there(column: Column) -> str:
    return f"{quote(column.name)} IS NOT NULL"


def _bound_nulls(plan: Plan) -> list[str]:
    return [f"$null_{number}" for number in range(len(plan.reading.null_texts))]


def _given(records: Records, plan: Plan, listed: Sequence[AppliedRule]) -> str:
    """What a record carries along to be explained: its text and shape, its cells, and verdicts on secrets."""
    shown = {name: cell for name, cell in records.cells.items() if name not in _hidden(plan)}
    verdicts = (
        [f"({check.rule.predicate}) IS NOT FALSE" for check in listed] if plan.protects else []
    )  # judged before they were hidden
    carried = {
        "raw": records.raw,
        "fault": "_sluice_fault",
        "fault_rule": records.fault_rule,
        "cells": f"[{', '.join(shown.get(name, 'NULL::VARCHAR') for name in cast_sources(plan))}]",
        "sound": f"[{', '.join(verdicts)}]",
    }
    return f"CAST(to_json({{{', '.join(f'{literal(name)}: {value}' for name, value in carried.items())}}}) AS VARCHAR)"


def _conditions(checked: Sequence[AppliedRule], listed: Mapping[str, Listed]) -> list[str]:
    """SQL conditions, one of which is false where a record is rejected: no more of them than that takes."""
    required = {
        check.column.name for check in checked if check.column and check.rule.predicate == _is_there(check.column)
    }
    needed = ["_sluice_fault IS NULL"]
    for check in checked:
        name = check.column.name if check.column else ""
        is_there = f"{quote(name)} IS NOT NULL"
        if name in listed and check.rule.predicate == listed[name].predicate:
            in_list = f"{listed[name].type} IS NOT NULL"
            needed.append(in_list if name in required else f"({in_list} OR {quote(name)} IS NULL)")
        elif not (check.of_type and name in required) and not (name in listed and check.rule.predicate == is_there):
            needed.append(check.rule.predicate)  # NULL is not of its type anyway
    return list(dict.fromkeys(needed))


def _all(conditions: Sequence[str]) -> str:
    """All conditions; as a tree, since DuckDB bounds the depth of an expression."""
    if len(conditions) > 1:
        middle = len(conditions) // 2
        return f"({_all(conditions[:middle])} AND {_all(conditions[middle:])})"
    return f"({conditions[0]})"


def _lines(items: list[str]) -> str:
    return ",\n            ".join(items)
