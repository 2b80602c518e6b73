"""Personal data: the columns that are hashed, masked or left out of the table, and the options that excludes.

Values are read, cast and judged as they are; what is stored, also in the rejects, is protected. So everything that is
computed from stored rows (warnings, checks of objects, order, partitions) must do without the values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never, get_args

from sluice.contract.custom import Custom
from sluice.contract.model import Dataset, Property
from sluice.contract.plan import ObjectCheck, Plan, Protect
from sluice.contract.sql import quote

_CHOICES = tuple(word for word in get_args(Protect) if word)


def read_classes(custom: Custom) -> dict[str, Protect]:
    """Read the option `protect` of the schema object: the protection of each classification, in lower case."""
    value = custom.values.get("protect")
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(choice in _CHOICES for choice in value.values()):
        raise custom.source("protect").error(
            f"protect is {value!r}", f"write {{<classification>: {' or '.join(_CHOICES)}}}"
        )
    return {str(name).lower(): choice for name, choice in value.items()}


def read_protection(custom: Custom, classification: str | None, classes: dict[str, Protect]) -> Protect:
    """Return the protection of a property: its own option, else that of its classification."""
    own = custom.choice("protect", None, (*_CHOICES, "none"))
    if own is not None:
        return "" if own == "none" else own
    return classes.get((classification or "").lower(), "")


def refuse_leaks(dataset: Dataset, plan: Plan) -> None:
    """Raise ContractError where the plan stores, orders or counts protected values."""
    for item in dataset.properties:
        if item.protect:
            for use in _forbidden(item, plan):
                raise item.source.error(
                    f"property {item.name}: a value to {item.protect} cannot be {use}",
                    "protect it otherwise, or say it of another property",
                )


def _forbidden(item: Property, plan: Plan) -> Iterator[str]:
    """Yield uses of the property that its protection rules out."""
    name, quoted = item.name, quote(item.name)
    columns = (*plan.columns, *plan.omitted)
    kind = next(column.type for column in columns if column.name == name)
    if item.protect in {"hash", "mask"} and kind != "string":
        yield f"of type {kind}: it becomes a text, so say logicalType string and a pattern"
    yield from _roles(name, plan, item.protect)
    for other in columns:
        if other.source is None and quoted in other.cast and not other.protect:
            yield f"in the transformLogic of {other.name}, which shows it"
    for rule in plan.rules:
        if rule.severity == "warn" and rule.column == name and (item.protect == "omit" or rule.name != "required"):
            yield f"counted by the warning {rule.name}"
    for check in plan.checks:
        if _counts(check, name, quoted, item.protect):
            yield f"counted by the check {check.name}"


def _roles(name: str, plan: Plan, protect: Protect) -> Iterator[str]:
    """Roles in the table for which values must be there, or at least be told from one another."""
    if name == plan.sequence_by:
        yield "sequenceBy"
    if protect == "hash":
        return
    if name in plan.primary_key:
        yield "a key"
    if any(name == part.column for part in plan.partition):
        yield "a partition"
    if any(name in unique.columns for unique in plan.unique):
        yield "unique"


def _counts(check: ObjectCheck, name: str, quoted: str, protect: Protect) -> bool:
    """True if a check needs values that are not stored. Hashes still show missing and equal values."""
    match check.measure:
        case "break":
            return check.column == name and (protect == "omit" or check.sql != f"{quoted} IS NOT NULL")
        case "repeat":
            return name in check.columns and protect != "hash"
        case "query":
            return quoted in check.sql
        case "rows":
            return False
        case _:
            assert_never(check.measure)
