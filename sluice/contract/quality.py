"""Quality checks of a contract: those that one row can break, and those that only a whole object can.

Decides which of them Sluice understands. Into rules and checks of the plan they are turned by `rules` and `judging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import Any

from open_data_contract_standard.model import DataQuality

from sluice.contract.document import Document
from sluice.contract.metrics import LIBRARY, metric
from sluice.contract.model import CheckKind, Limit, Position, QualityCheck, Scalar
from sluice.contract.plan import Severity

SEVERITIES: dict[str, Severity] = {
    **dict.fromkeys(("info", "warn", "warning"), "warn"),
    **dict.fromkeys(("error", "reject"), "reject"),
    **dict.fromkeys(("stop", "critical", "fatal"), "stop"),
}
_NUMBERS = {  # operator: how many numbers it takes
    **dict.fromkeys(("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo"), 1),
    **dict.fromkeys(("mustBeLessThan", "mustBeLessOrEqualTo"), 1),
    **dict.fromkeys(("mustBeBetween", "mustNotBeBetween"), 2),
}
_V3_0 = {"duplicateCount": "duplicateValues"}  # the words of v3.0 for the metrics


def read_checks(
    quality: Sequence[DataQuality] | None, *, document: Document, path: str, column: str | None
) -> tuple[QualityCheck, ...]:
    """The checks on one property, or on the whole object where `column` is None.

    Checks of type `text` are for people and have no effect.
    """
    return tuple(
        _read_check(item, document.at(f"{path}.quality[{position}]"), column)
        for position, item in enumerate(quality or ())
        if item.type != "text"
    )


def _read_check(item: DataQuality, here: Position, column: str | None) -> QualityCheck:
    severity = SEVERITIES.get((item.severity or "error").lower())
    if severity is None:
        raise here.error(f"severity is {item.severity!r}", f"write one of {', '.join(SEVERITIES)}")
    match item.type:
        case "sql":
            return _sql(item, here, severity, column)
        case None | "library":
            return _library(item, here, severity, column)
        case _:
            raise here.error(
                f"quality checks of type {item.type!r} are not run", "use type library, sql, or text for people"
            )


def _sql(item: DataQuality, here: Position, severity: Severity, column: str | None) -> QualityCheck:
    if not item.query:
        raise here.error("a check of type sql without a query", "write `query: SELECT count(*) FROM ${object}`")
    limit = _limit(item, here, percent=False)
    return QualityCheck(
        kind="sql", query=item.query, limit=limit, name=item.name, severity=severity, column=column, source=here
    )


def _library(item: DataQuality, here: Position, severity: Severity, column: str | None) -> QualityCheck:
    word = item.metric or item.rule or ""
    kind = next((kind for kind in LIBRARY if kind == _V3_0.get(word, word)), None)
    if kind is None:
        raise here.error(f"the metric {word!r} is not known", f"use one of {', '.join(LIBRARY)}, or type sql")
    facts, arguments = metric(kind), item.arguments or {}
    if column is None and not facts.of_object:
        raise here.error(f"{kind} of a whole object", "say it at the properties whose values it counts")
    if column is not None and not facts.of_property:
        raise here.error(f"{kind} at a property", "say it at the schema object, whose rows it counts")
    if unknown := arguments.keys() - facts.arguments:
        raise here.error(f"{kind} has the unknown argument {min(unknown)!r}", f"known: {sorted(facts.arguments)}")
    if item.unit not in {None, "rows", "percent"} or (item.unit == "percent" and not facts.has_percent):
        raise here.error(f"{kind} in {item.unit}", "write unit rows or percent (rowCount: rows)")
    values, pattern, columns = _arguments(kind, arguments, here, column)
    return QualityCheck(
        kind=kind,
        values=values,
        pattern=pattern,
        columns=columns,
        limit=_limit(item, here, percent=item.unit == "percent"),
        name=item.name,
        severity=severity,
        column=column,
        source=here,
    )


def _arguments(
    kind: CheckKind, arguments: dict[str, Any], here: Position, column: str | None
) -> tuple[tuple[Scalar, ...], str | None, tuple[str, ...]]:
    """Values, pattern and columns of a library check."""
    if kind == "duplicateValues":
        columns = arguments.get("properties") or ([column] if column else [])
        if not isinstance(columns, list) or not columns or not all(isinstance(name, str) for name in columns):
            raise here.error("duplicateValues of no properties", "write `arguments: {properties: [a, b]}`")
        return (), None, tuple(columns)
    if kind == "invalidValues" and arguments.keys() == {"pattern"}:
        if not isinstance(pattern := arguments["pattern"], str):
            raise here.error(f"the pattern is {pattern!r:.80}", "write a text, in quotes")
        return (), pattern, ()
    if kind == "invalidValues" and len(arguments) != 1:
        raise here.error("invalidValues needs exactly one argument", "write validValues or pattern")
    values: tuple[Scalar, ...] = ()
    for name, listed in arguments.items():
        if not isinstance(listed, list) or not listed:
            raise here.error(f"{name} is no list of values", "write at least one value")
        # null in the list, and the texts that are read as null: a missing value is missing, and it is not invalid.
        values = tuple(value for value in listed if value is not None)
    return values, None, ()


def _limit(item: DataQuality, here: Position, *, percent: bool) -> Limit:
    said = [name for name in _NUMBERS if getattr(item, name) is not None]
    if len(said) != 1:
        raise here.error(f"a check with {len(said)} comparisons", f"write one of {', '.join(_NUMBERS)}")
    value: Any = getattr(item, said[0])
    bounds = tuple(value) if isinstance(value, list) else (value,)
    if len(bounds) != _NUMBERS[said[0]] or not all(
        isinstance(bound, int | float | Decimal) and not isinstance(bound, bool) and _is_finite(bound)
        for bound in bounds
    ):
        raise here.error(f"{said[0]} is {value!r}", "write a number, or for a range [from, to]")
    return Limit(operator=said[0], bounds=tuple(_plain(bound) for bound in bounds), percent=percent)


def _is_finite(number: float | Decimal) -> bool:
    try:
        return isfinite(number)
    except OverflowError:
        return False


def _plain(number: float | Decimal) -> int | float:
    return int(number) if number == int(number) else float(number)
