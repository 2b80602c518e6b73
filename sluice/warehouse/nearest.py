"""What to write instead of a text that Trino's grammar refuses: the reason in words, and the nearest right form."""

from __future__ import annotations

from sluice.warehouse.grammar import SyntaxMistake, reserved_words
from sluice.warehouse.subset import INTERVAL_UNITS

_FEW = 6
_IDENTIFIER = "IDENTIFIER"


def explain(mistake: SyntaxMistake) -> tuple[str, str]:
    """Return (reason, remedy) for a syntax mistake; the remedy is empty where nothing useful is known."""
    nearby = mistake.words[-_NEAR:-1]
    for word, before, remedy in _FORMS:
        if mistake.words[-1] == word and (before is None or before in nearby):
            return _not_here(mistake), remedy
    if "INTERVAL" in nearby:
        return _not_here(mistake), f"INTERVAL '1' DAY, with one of {' '.join(sorted(INTERVAL_UNITS))}"
    return _of_a_name(mistake) or (_not_here(mistake), _one_of(mistake))


def _of_a_name(mistake: SyntaxMistake) -> tuple[str, str] | None:
    """Explain a word that would be a name, or a text, if it were quoted as Athena does."""
    word = mistake.word
    named = mistake.words[-2:-1] == ("WITH",) or any(kind.startswith(_IDENTIFIER) for kind in mistake.expected)
    if word.startswith("`"):
        return f"{word} is not Athena SQL", f'"{word.strip("`")}": names are quoted with "'
    if word.startswith("'"):
        return "a text that does not end, or a backslash before a quote", "'it''s': a quote is doubled"
    if word[:1].isdigit() and word[-1:].isalpha():
        return f"{word} begins with a digit", f'"{word}"'
    if named and word.upper() in reserved_words() - _STRUCTURE:
        return f"{word} is a reserved word of Athena", f'write "{word}" in double quotes'
    return None


# Reserved words that more often show that something before them is missing than that somebody named a column so.
_STRUCTURE = frozenset(
    {
        *("SELECT", "FROM", "WHERE", "HAVING", "WITH", "UNION", "INTERSECT", "EXCEPT", "JOIN", "ON", "USING", "AND"),
        *("OR", "NOT", "IN", "IS", "AS", "BY", "LIKE", "BETWEEN", "WHEN", "THEN", "ELSE", "DISTINCT"),
    }
)
_NEAR = 6  # words before the mistake that may explain it
# The refused word, a word that stands shortly before it, what to write.
_FORMS = (
    ("OFFSET", "LIMIT", "OFFSET stands before LIMIT: OFFSET 20 LIMIT 10"),
    (",", "LIMIT", "OFFSET 20 LIMIT 10"),
    ("+", "LIMIT", "LIMIT takes a whole number"),
    ("SELECT", "LIMIT", "LIMIT takes a whole number"),
    ("FROM", ",", "take the comma before FROM away"),
    ("ON", "DISTINCT", "max_by(x, y), or row_number() OVER (...) in an inner SELECT"),
    ("REPLACE", "*", "name the columns"),
    ("EXCLUDE", "*", "name the columns"),
    ("IN", None, "IN takes at least one value"),
    ("=", "=", "= compares"),
    ("SYMMETRIC", None, "BETWEEN the smaller AND the larger"),
    (":", None, "CAST(x AS type)"),
    ("[", None, "ARRAY[1, 2]"),
    ("{", None, "MAP(ARRAY['a'], ARRAY[1])"),
    ("ILIKE", None, "lower(x) LIKE 'a%'"),
    ("GLOB", None, "LIKE 'a%'"),
)


def _not_here(mistake: SyntaxMistake) -> str:
    if not mistake.word:
        return "the statement ends too early"
    after = f" after {mistake.words[-2]}" if len(mistake.words) > 1 else ""
    return f"{mistake.word!r} is not Athena SQL here{after}"


def _one_of(mistake: SyntaxMistake) -> str:
    if mistake.words.count("(") > mistake.words.count(")"):
        return "is a parenthesis before it not closed?"
    return "expected " + " or ".join(sorted(mistake.expected)) if 0 < len(mistake.expected) <= _FEW else ""
