"""How a contract's files spell numbers and truth values: `1.234,50`, `yes`. A spelling becomes part of a strict cast.

`casts` decides which usual spellings are numbers.
"""

from __future__ import annotations

import re

from sluice.contract.casts import strict_cast
from sluice.contract.custom import Custom
from sluice.contract.filetypes import SPELLING_OPTIONS
from sluice.contract.model import Spelling
from sluice.contract.sql import literal
from sluice.contract.types import decimal_parts

_NO_SEPARATOR = frozenset('0123456789+-eE"\r\n\0')


def read_spelling(custom: Custom, default: Spelling) -> Spelling:
    """Read the options of a schema object or of a property; the others are as in `default`."""
    found = Spelling(
        decimal=_separator(custom, "decimalSeparator", default.decimal) or ".",
        thousands=_separator(custom, "thousandsSeparator", default.thousands, empty=True),
        true_texts=custom.texts("trueTexts", default.true_texts),
        false_texts=custom.texts("falseTexts", default.false_texts),
    )
    if found.decimal == found.thousands:
        raise custom.source("thousandsSeparator").error(
            f"thousands and decimals have the same separator {found.decimal!r}", "change one of them"
        )
    if bool(found.true_texts) != bool(found.false_texts):
        raise custom.source("trueTexts").error("trueTexts without falseTexts, or the reverse", "write both lists")
    if both := sorted(set(found.true_texts) & set(found.false_texts)):
        raise custom.source("falseTexts").error(f"{both[0]!r} is both true and false", "keep it in one list")
    return found


def refuse_foreign_spelling(custom: Custom, logical_type: str | None) -> None:
    """Refuse options on a property whose values have no such spelling."""
    for name in sorted(SPELLING_OPTIONS & set(custom.values)):
        kinds = {"boolean"} if name.endswith("Texts") else {"number"} if name.startswith("d") else {"integer", "number"}
        if logical_type is not None and logical_type not in kinds:
            raise custom.source(name).error(f"{name} has no effect on logicalType {logical_type}", "remove it")


def spelled_cast(cell: str, kind: str, spelling: Spelling, *, zone: str | None = None) -> tuple[str, str]:
    """The strict cast of a cell in the given spelling, and words for the expected text. `zone` as in `strict_cast`."""
    if kind == "boolean" and spelling.true_texts:
        yes, no = (", ".join(map(literal, texts)) for texts in (spelling.true_texts, spelling.false_texts))
        expected = f"one of {', '.join(spelling.true_texts)} or {', '.join(spelling.false_texts)}"
        return f"CASE WHEN {cell} IN ({yes}) THEN true WHEN {cell} IN ({no}) THEN false END", expected
    whole = kind in {"int", "long"}
    usual = not spelling.thousands and (whole or spelling.decimal == ".")
    if usual or not (whole or kind in {"float", "double"} or decimal_parts(kind)):
        return strict_cast(cell, kind, zone=zone)
    expression, expected = strict_cast(_usual(cell, spelling, whole=whole), kind)
    group = f"1{spelling.thousands}234"
    return expression, f"{expected}, written like {group if whole else group + spelling.decimal + '5'}"


def _usual(cell: str, spelling: Spelling, *, whole: bool) -> str:
    """The number in the usual spelling; NULL where a separator stands astray.

    Nobody groups digits that begin with 0: such a text is a number of a locale with the separators the other way round.
    """
    thousands, decimal = re.escape(spelling.thousands), re.escape(spelling.decimal)
    digits = f"([0-9]+|[1-9][0-9]{{0,2}}({thousands}[0-9]{{3}})+)" if thousands else "[0-9]+"
    shape = f"[+-]?{digits}" if whole else f"[+-]?({digits}({decimal}[0-9]*)?|{decimal}[0-9]+)([eE][+-]?[0-9]+)?"
    plain = f"replace({cell}, {literal(spelling.thousands)}, '')" if thousands else cell
    if not whole and spelling.decimal != ".":
        plain = f"replace({plain}, {literal(spelling.decimal)}, '.')"
    return f"CASE WHEN regexp_full_match({cell}, {literal(shape)}) THEN {plain} END"


def _separator(custom: Custom, name: str, default: str, *, empty: bool = False) -> str:
    value: str = custom.text(name, default)
    if (len(value) != 1 and not (empty and not value)) or value in _NO_SEPARATOR:
        raise custom.source(name).error(f"{name} is {value!r}", "write one character that is no digit, sign or e")
    return value
