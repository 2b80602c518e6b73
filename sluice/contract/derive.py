"""Derived columns: `transformLogic` as one scalar DuckDB expression over the columns that come from the file.

The expression is parsed, written again by the parser, and each bare word of the result must stand in the list of
functions, types and keywords below. So what was checked is what runs, and what can read files, settings or the clock,
or gives another answer tomorrow, cannot get in. The names of columns are always quoted in the result.
"""

from __future__ import annotations

import re

import sqlglot
from sqlglot import TokenType, exp

from sluice.contract.model import Property
from sluice.contract.types import duckdb_type

MAX_LENGTH = 10_000
MAX_GROWTH = 10_000  # times that repeat and the pads of one expression may lengthen a text
_PRINTS = frozenset({"printf", "format"})
_WIDE = re.compile(r"[0-9]{4}|%[^a-z%]*\*|\{[^}]*\{")
_WORDS = """
and or not in is null like ilike between case when then else end cast try_cast as true false distinct from escape
similar to interval extract
varchar text tinyint smallint int integer bigint hugeint float real double decimal boolean date timestamp time
year years quarter month months week day days hour hours minute minutes second seconds
abs ceil ceiling floor round trunc sign sqrt cbrt exp ln log log10 log2 pow power mod greatest least pi radians
degrees sin cos tan asin acos atan atan2 isnan isinf isfinite
coalesce nullif ifnull if
lower upper trim ltrim rtrim length strlen substr substring left right replace translate concat concat_ws contains
starts_with ends_with prefix suffix position strpos instr split_part lpad rpad repeat reverse chr ascii ord unicode
strip_accents nfc_normalize printf format md5 sha1 sha256 hex
regexp_matches regexp_full_match regexp_replace regexp_extract
struct_extract array_contains array_to_string
date_trunc date_part date_diff date_sub date_add last_day make_date make_time make_timestamp strftime strptime
try_strptime millisecond microsecond dayofweek dayofyear isodow weekofyear yearweek isoyear dayname monthname epoch
epoch_ms epoch_us to_seconds to_minutes to_hours to_days to_weeks to_months to_years
"""
_KNOWN = frozenset(_WORDS.split())
_NOT_SCALAR = (exp.Query, exp.Table, exp.Window, exp.AggFunc, exp.Star, exp.Lambda, exp.Parameter, exp.Placeholder)


def derived_expression(item: Property, kind: str, sources: frozenset[str]) -> str:
    """Check and write the expression of a derived property, cast to its type; NULL where computing it fails."""
    try:
        written = checked_expression(item.derived or "", sources)
    except ValueError as error:
        raise item.source.error(
            f"property {item.name}: transformLogic: {error}",
            "write one DuckDB expression over columns that come from the file, such as round(distance * 1.609344)",
        ) from error
    return f"TRY(CAST({written} AS {duckdb_type(kind)}))"


def checked_expression(text: str, sources: frozenset[str]) -> str:
    """Parse one scalar expression over the columns `sources` and write it again. Raises ValueError with the reason."""
    written = _resolved(_parsed(text), sources).sql(dialect="duckdb", identify=True, comments=False)
    refuse_unknown_words(written)
    return written


def _parsed(text: str) -> exp.Condition:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"it is longer than {MAX_LENGTH} characters")
    try:
        trees = sqlglot.parse(text, read="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError) as error:
        raise ValueError(f"it is no SQL expression: {str(error).splitlines()[0]}") from error
    tree = trees[0] if len(trees) == 1 and isinstance(trees[0], exp.Condition) else None
    if tree is None or isinstance(tree, exp.Query):
        raise ValueError("it is not exactly one expression")
    if any(
        "~" in token.text and token.token_type is not TokenType.STRING
        for token in sqlglot.tokenize(text, read="duckdb")
    ):
        raise ValueError("the operator ~ is read in two ways: use regexp_matches or regexp_full_match")
    _check_growth(tree)
    for node in tree.find_all(*_NOT_SCALAR):
        raise ValueError(f"{node.sql(dialect='duckdb')!r} is not scalar: every row is judged by itself")
    return tree


def _check_growth(tree: exp.Expr) -> None:
    """Refuse functions that make a text of any length: a cell of one character could fill the machine."""
    times = 1
    for node in tree.find_all(exp.Repeat, exp.Pad, exp.Space):
        count = node.args.get("times") or node.args.get("expression") or node.this
        if not isinstance(count, exp.Literal) or count.is_string or not count.name.isdigit():
            raise ValueError(f"{node.sql(dialect='duckdb')!r}: write how often or how long as a number")
        times *= max(1, int(count.name))
    if times > MAX_GROWTH:
        raise ValueError(f"it makes a text {times} times as long, more than {MAX_GROWTH}")
    for node in tree.find_all(exp.Func):
        name = node.name.lower() if isinstance(node, exp.Anonymous) else node.sql_name().lower()
        if name not in _PRINTS:
            continue
        form = next(iter(node.iter_expressions()), None)
        if not isinstance(form, exp.Literal) or _WIDE.search(form.name):
            raise ValueError(f"{name}: write its format as a text, with widths of at most three digits")


def _resolved(tree: exp.Expr, sources: frozenset[str]) -> exp.Expr:
    """Check the columns; `address.zip` becomes the member of a column, whatever tables the kernel may name."""

    def member(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column):
            return node
        column, *members = node.parts
        if column.name not in sources:
            raise ValueError(f"there is no column {node.sql(dialect='duckdb')} in the file")
        found: exp.Expr = exp.column(column.name)
        for name in members:
            found = exp.StructExtract(this=found, expression=exp.Literal.string(name.name))
        return found

    return tree.transform(member)


def refuse_unknown_words(written: str, *, also: frozenset[str] = frozenset()) -> None:
    """Raise ValueError at the first bare word of SQL that is neither a scalar function or type nor in `also`."""
    tokens = sqlglot.tokenize(written, read="duckdb")
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        quoted = token.token_type in {TokenType.IDENTIFIER, TokenType.STRING, TokenType.NUMBER}
        words = token.text.lower().split()  # GROUP BY is one token
        if not quoted and token.text[:1].isalpha() and not (_KNOWN | also).issuperset(words):
            raise ValueError(f"{token.text.lower()!r} is not among the functions that a contract may use")
        if token.token_type is TokenType.IDENTIFIER and following and following.token_type is TokenType.L_PAREN:
            raise ValueError(f"{token.text!r} is called as a function under a quoted name")
