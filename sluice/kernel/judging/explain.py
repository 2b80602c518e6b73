"""What is wrong with a rejected record: SQL that lists each rule that it breaks, in words.

Works on the few records that were rejected, from their typed columns and from what they carry along (`examine.GIVEN`).
"""

from __future__ import annotations

from sluice.contract.plan import CELL, PROVENANCE, Column, Plan
from sluice.contract.sql import literal, quote
from sluice.kernel.judging.examine import GIVEN, AppliedRule, cast_sources, checks, is_text_as_it_stands, nulled
from sluice.kernel.judging.protect import HIDDEN

_CARRIED = '{"raw": "VARCHAR", "fault": "VARCHAR", "fault_rule": "VARCHAR", "cells": ["VARCHAR"], "sound": ["BOOLEAN"]}'
_BREACH = 'STRUCT("column" VARCHAR, "rule" VARCHAR, "reason" VARCHAR, "value" VARCHAR, "stops" BOOLEAN)'
_FAULT = f"{GIVEN}['fault']"
_SHOWN = 100  # characters of a cell in a reason; the cell itself stands in `value`


def explained(relation: str, plan: Plan, *, carrier: str) -> str:
    """Return the SELECT of rejected records: provenance, `raw` and `breaches`, a list of what is wrong.

    `relation` has their plan columns and provenance; its column `carrier` holds GIVEN instead of its own value.
    """
    # A text that is not among those of an enumeration is in no file (`enumerated`), but its cell is carried.
    texts = {column.name: _text(column, plan) for column in plan.columns if is_text_as_it_stands(column, plan)}
    columns = [quote(column.name) for column in plan.columns if column.name not in texts]
    restored = [f"{text} AS {quote(name)}" for name, text in texts.items()]
    origin = [name for name, _ in PROVENANCE if name != carrier]
    return f"""
    WITH carried AS (
        SELECT {", ".join([*columns, *origin])}, from_json({carrier}, {literal(_CARRIED)}) AS {GIVEN} FROM {relation}
    ), rejected AS (
        SELECT {", ".join(["*", *restored])} FROM carried
    ), explained AS (
        SELECT {", ".join(origin)}, {GIVEN}['raw'] AS raw, [
            {_breaches(plan)}
        ] AS breaches
        FROM rejected
    )
    SELECT * REPLACE (CAST(list_filter(breaches, lambda breach: breach IS NOT NULL) AS {_BREACH}[]) AS breaches)
    FROM explained"""


def _breaches(plan: Plan) -> str:
    """One entry for each way to break the plan, NULL where the record does not.

    A record of the wrong shape has no cells to judge, and a cell of the wrong type no value: only that is told.
    """
    fault = _entry(column="NULL", rule=f"{GIVEN}['fault_rule']", reason=_FAULT, value="NULL", stops=False)
    entries = [f"CASE WHEN {_FAULT} IS NOT NULL THEN {fault} END"]
    typed: dict[str, str] = {}  # by column: whether its cell is a text of its type
    for number, check in enumerate(checks(plan, lambda column: _is_given(column, plan)), 1):
        rule, column = check.rule, check.column
        sound = f"{GIVEN}['sound'][{number}]" if plan.protects else rule.predicate
        before = f"{_FAULT} IS NULL"
        if column and check.of_type:
            typed[column.name] = sound
        elif column and column.name in typed:
            before += f" AND ({typed[column.name]})"
        reason, value = _words(check, plan)
        column_name = literal(rule.column) if rule.column else "NULL"
        entry = _entry(
            column=column_name, rule=literal(rule.name), reason=reason, value=value, stops=rule.severity == "stop"
        )
        entries.append(f"CASE WHEN {before} AND ({sound}) IS FALSE THEN {entry} END")
    return ",\n            ".join(entries)


def _entry(*, column: str, rule: str, reason: str, value: str, stops: bool) -> str:
    fields = {"column": column, "rule": rule, "reason": reason, "value": value, "stops": literal(stops)}
    return f"{{{', '.join(f'{literal(name)}: {field}' for name, field in fields.items())}}}"


def _words(check: AppliedRule, plan: Plan) -> tuple[str, str]:
    """SQL of the reason and of the value that a broken check is reported with."""
    expected = f"expected {check.rule.expected}"
    column = check.column
    if column is None:
        return literal(expected), "NULL"
    if column.protect:
        return literal(f"{expected}, got {HIDDEN}"), "NULL"
    value = _cell(column, plan)
    reason = f"{literal(f'{expected}, got ')} || coalesce({_shown(value)}, 'nothing')"
    if check.of_type and column.explain:
        reason = f"coalesce({column.explain.replace(CELL, value)}, {reason})"
    return reason, value


def _cell(column: Column, plan: Plan) -> str:
    if column.source is None:
        return f"CAST({quote(column.name)} AS VARCHAR)"
    return f"{GIVEN}['cells'][{cast_sources(plan).index(column.source) + 1}]"


def _is_given(column: Column, plan: Plan) -> str:
    return f"(({_text(column, plan)}) IS NOT NULL)"


def _text(column: Column, plan: Plan) -> str:
    nulls = [literal(text) for text in plan.reading.null_texts]
    return nulled(_cell(column, plan), plan, nulls)


def _shown(value: str) -> str:
    """The cell in quotation marks, cut short."""
    mark = literal("'")
    return f"{mark} || {value}[:{_SHOWN}] || CASE WHEN length({value}) > {_SHOWN} THEN '...' ELSE '' END || {mark}"
