"""Quality checks of the contract that a single row can break: which of them Sluice runs, and refusal of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from open_data_contract_standard.model import DataQuality

from sluice.contract.document import Document
from sluice.contract.model import Check, Scalar, Source
from sluice.contract.plan import Severity

SEVERITIES: dict[str, Severity] = {
    **dict.fromkeys(("info", "warn", "warning"), "warn"),
    **dict.fromkeys(("error", "reject"), "reject"),
    **dict.fromkeys(("stop", "critical", "fatal"), "stop"),
}
OPERATORS = (
    *("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo"),
    *("mustBeLessThan", "mustBeLessOrEqualTo", "mustBeBetween", "mustNotBeBetween"),
)


def read_checks(quality: Sequence[DataQuality] | None, *, document: Document, path: str) -> tuple[Check, ...]:
    """The checks on one property. Checks of type `text` are for people and have no effect."""
    return tuple(
        _read_check(item, document.at(f"{path}.quality[{position}]"))
        for position, item in enumerate(quality or ())
        if item.type != "text"
    )


def refuse_object_checks(
    quality: Sequence[DataQuality] | None, *, key: tuple[str, ...], document: Document, path: str
) -> None:
    """Only one check on the whole object is understood, because the key implies it: no duplicates of the key."""
    for position, item in enumerate(quality or ()):
        here = document.at(f"{path}.quality[{position}]")
        if item.type == "text":
            continue
        columns = tuple((item.arguments or {}).get("properties") or ())
        implied = (item.metric or item.rule) == "duplicateValues" and sorted(columns) == sorted(key) and _none(item)
        if not implied:
            raise here.error(
                f"the {item.type or 'library'} check {item.metric or item.rule or item.name or ''!r} on the whole "
                "object is not supported yet",
                "remove it, or say it for each row: required, enum, pattern, minimum, maximum, primaryKey",
            )


def _read_check(item: DataQuality, here: Source) -> Check:
    metric = item.metric or item.rule
    if item.type not in {None, "library"} or metric is None:
        raise here.error(
            f"quality checks of type {item.type!r} are not supported yet",
            "use type library with metric invalidValues, nullValues or missingValues, or type text for people",
        )
    severity = SEVERITIES.get((item.severity or "error").lower())
    if severity is None:
        raise here.error(f"severity is {item.severity!r}", f"write one of {', '.join(SEVERITIES)}")
    if not _none(item):
        raise here.error(
            f"the check {metric} allows some broken rows", "write `mustBe: 0`: every row is judged by itself"
        )
    arguments = item.arguments or {}
    kind, values, pattern = _row_check(metric, arguments, here)
    return Check(kind=kind, values=values, pattern=pattern, name=item.name, severity=severity, source=here)


def _row_check(metric: str, arguments: dict[str, Any], here: Source) -> tuple[str, tuple[Scalar, ...], str | None]:
    allowed = {
        "invalidValues": {"validValues", "pattern"},
        "missingValues": {"missingValues"},
        "nullValues": set[str](),
    }
    if metric not in allowed:
        raise here.error(
            f"the metric {metric!r} is not supported yet", "use invalidValues, nullValues, missingValues or primaryKey"
        )
    if unknown := arguments.keys() - allowed[metric]:
        raise here.error(f"{metric} has the unknown argument {min(unknown)!r}", f"known: {sorted(allowed[metric])}")
    if metric == "nullValues":
        return "required", (), None
    if metric == "invalidValues" and (arguments.keys() == {"pattern"}):
        return "pattern", (), str(arguments["pattern"])
    if len(arguments) != 1:
        raise here.error(f"{metric} needs exactly one argument", f"write one of {sorted(allowed[metric])}")
    ((name, values),) = arguments.items()
    if not isinstance(values, list) or not values:
        raise here.error(f"{name} is no list of values", "write at least one value")
    if metric == "missingValues":
        # null in the list, and the texts that are read as null, are already what `required` says.
        return "missing", tuple(value for value in values if value is not None), None
    return "enum", tuple(values), None


def _none(item: DataQuality) -> bool:
    """Whether the check says that no row may break it."""
    said = [name for name in OPERATORS if getattr(item, name) is not None]
    value: Any = getattr(item, said[0]) if len(said) == 1 else None
    return said == ["mustBe"] and not isinstance(value, bool) and value == 0
