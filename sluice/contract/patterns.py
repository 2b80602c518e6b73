"""Regular expressions of a contract: the standard writes ECMA-262, the kernel runs RE2; their common part passes."""

from __future__ import annotations

import re
import warnings

# What ECMA-262 has and RE2 has not, or reads otherwise. Looked for outside character classes.
_REFUSED = (
    (re.compile(r"\(\?[=!]|\(\?<[=!]"), "looks ahead or behind"),
    (re.compile(r"\(\?(?!:)"), "has a named group or flags"),
    (re.compile(r"\\[1-9]|\\k"), "refers back to a group"),
    (re.compile(r"[*+?}][+]"), "has two quantifiers in a row"),
)
_ESCAPES = re.compile(r"\\(?:[cuU]|x(?![0-9A-Fa-f]{2}))")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MAX_REPEAT = 1000
_MAX_LENGTH = 10_000
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]")
_ESCAPED_PUNCTUATION = re.compile(r"\\[^0-9A-Za-z]")


def check_pattern(pattern: str) -> None:
    """Raises ValueError with the reason where the kernel would refuse the pattern or read it otherwise."""
    if len(pattern) > _MAX_LENGTH:
        raise ValueError(f"it is longer than {_MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Python may read otherwise one day
            re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ValueError(f"it is no regular expression: {error}") from error
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _ESCAPES.search(pattern.replace("\\\\", "")):
        raise ValueError("it has an escape like \\u or \\c: write the character itself")
    unescaped = _ESCAPED_PUNCTUATION.sub("x", pattern)
    if any("[:" in found[0][1:] for found in _CLASS.finditer(unescaped)):
        raise ValueError("it has a class with a name, such as [[:alpha:]], which ECMA-262 does not know")
    bare = _CLASS.sub("x", unescaped)
    for refused, words in _REFUSED:
        if refused.search(bare):
            raise ValueError(f"it {words}, which the kernel cannot do")
    for repeat in _REPEAT.finditer(bare):
        if any(int(bound) > _MAX_REPEAT for bound in repeat.groups() if bound):
            raise ValueError(f"it repeats more than {_MAX_REPEAT} times")
