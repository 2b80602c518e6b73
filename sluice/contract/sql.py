"""Names and values as SQL text: the only place of the contract package that quotes.

Values here come from contracts, at synth. Values from files never become SQL text.
"""

from __future__ import annotations

from decimal import Decimal

from sluice.contract.model import Scalar


def quote(identifier: str) -> str:
    """A quoted identifier; quotes inside are doubled."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: Scalar) -> str:
    """A literal of the value's own type; numbers stay exact."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "'" + value.replace("'", "''") + "'"
