"""Pairs of texts that say true and false, in the languages of business: which one a column uses."""

from __future__ import annotations

from collections.abc import Sequence

_PAIRS = (
    *(("Y", "N"), ("YES", "NO"), ("T", "F"), ("J", "N"), ("JA", "NEIN"), ("WAHR", "FALSCH"), ("OUI", "NON")),
    *(("VRAI", "FAUX"), ("SI", "NO"), ("S\u00cd", "NO"), ("S", "N"), ("VERDADERO", "FALSO"), ("VERO", "FALSO")),
    *(("SIM", "N\u00c3O"), ("TAK", "NIE"), ("ON", "OFF"), ("X", "-")),
)


def truth_texts(common: Sequence[tuple[str, int]], filled: int, most: int) -> tuple[str, str] | None:
    """The texts of true and of false, where all but `most` of the `filled` cells are one of the two, and both occur.

    `common` has the most frequent values with their counts.
    """
    texts = [value for value, _ in common[:2]]
    for yes, no in _PAIRS:
        found = {text.upper(): text for text in texts}
        if yes in found and no in found and sum(count for _, count in common[:2]) >= filled - most:
            return found[yes], found[no]
    return None
