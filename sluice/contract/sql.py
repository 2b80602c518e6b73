"""Names and values as SQL text: the only place of the contract package that quotes.

Values here come from contracts, at synth. Values from files never become SQL text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from sluice.contract.model import Scalar
from sluice.contract.plan import EXTRA


def quote(identifier: str) -> str:
    """A quoted identifier; quotes inside are doubled. SQL has no empty ones: a member of JSON may be named so."""
    if not identifier:
        return '"_sluice_unnamed"'
    return '"' + identifier.replace('"', '""') + '"'


def cell_names(sources: Iterable[str]) -> dict[str, str]:
    """Return the quoted identifier of each source column's cell: no two alike, and none of Sluice's own names.

    DuckDB takes names that differ in case for one, and the kernel calls its own columns `_sluice...`; a file may have
    both. There a mark stands before each capital letter and before such a name; all other names are as they are.
    """
    counts = Counter(map(_folded, given := dict.fromkeys(sources)))
    own = {name for name in given if _folded(name.replace("^", "")).startswith("_sluice") and name != EXTRA}
    alike = {name for name in given if counts[_folded(name)] > 1 or "^" in name}
    return {
        name: quote(("^" if name in own else "") + (re.sub("[A-Z^]", r"^\g<0>", name) if name in own | alike else name))
        for name in given
    }


def _folded(name: str) -> str:
    return re.sub("[A-Z]", lambda found: found[0].lower(), name)


def literal(value: Scalar) -> str:
    """A literal of the value's own type; numbers stay exact."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "'" + value.replace("'", "''") + "'"
