"""Protected values: what is stored in their place, and records whose text must not show them."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from sluice.contract.plan import Column, Plan
from sluice.contract.sql import literal, quote
from sluice.errors import ContractError
from sluice.kernel.readers.records import Records

HIDDEN = "(protected)"
_WITHHELD = "(withheld: the record has protected values)"
_SHOWN = 4  # last characters that a mask leaves, of texts that are three times as long
LEAST_SALT = 16  # characters


def hashes(plan: Plan) -> bool:
    """Whether the plan needs a salt."""
    return any(column.protect == "hash" for column in plan.columns)


def checked_salt(plan: Plan, salt: str | None) -> str | None:
    """Return the salt that the plan needs, None if it needs none. Raises ContractError rather than hash without."""
    if not hashes(plan):
        return None
    if salt is None or len(salt) < LEAST_SALT:
        raise ContractError(
            f"dataset {plan.dataset} hashes values, and there is no salt of {LEAST_SALT} characters or more",
            file="environment",
            place="salt_parameter",
            remedy="name an SSM parameter that holds one: docs/contracts.md, Personal data",
        )
    return salt


def stored(column: Column) -> str:
    """Return SQL of what is stored of a typed column. A hash takes the parameter `salt`."""
    name = quote(column.name)
    match column.protect:
        case "hash":  # twice, as HMAC does, so that no longer text can be hashed from a hash
            return f"sha256($salt || sha256($salt || {name})) AS {name}"
        case "mask":
            tail = (
                f"CASE WHEN length({name}) >= {3 * _SHOWN} THEN {name}[-{_SHOWN}:] WHEN {name} IS NOT NULL THEN '' END"
            )
            return f"'****' || {tail} AS {name}"
        case "" | "omit":
            return name
        case _:
            assert_never(column.protect)


def shielded(records: Records, plan: Plan) -> Records:
    """Return the records with a text that shows no protected value: their cells by name, as JSON.

    A record of the wrong shape has no cells that could be told apart, so nothing of it is shown.
    """
    hidden = {column.source for column in (*plan.columns, *plan.omitted) if column.protect}
    if not hidden:
        return records
    shown = ", ".join(
        f"{quote(name)} := {f'CASE WHEN {cell} IS NOT NULL THEN {literal(HIDDEN)} END' if name in hidden else cell}"
        for name, cell in records.cells.items()
    )
    text = f"CAST(to_json(struct_pack({shown})) AS VARCHAR)" if shown else literal(_WITHHELD)
    return replace(records, raw=f"CASE WHEN _sluice_fault IS NULL THEN {text} ELSE {literal(_WITHHELD)} END")
