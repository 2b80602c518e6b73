"""One SELECT of Athena SQL parsed: its tree, the tables it names, and what is wrong with it, with the line.

What its columns and expressions mean is in `analyse.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import Token, TokenType, exp, parse, tokenize
from sqlglot.errors import ParseError, TokenError
from sqlglot.optimizer.scope import traverse_scope

from sluice.warehouse.grammar import first_mistake
from sluice.warehouse.nearest import explain
from sluice.warehouse.subset import FUNCTIONS, INTERVAL_UNITS

DIALECT = "athena"

_NOT_FUNCTIONS = frozenset(
    {
        *("in", "as", "and", "or", "not", "on", "where", "select", "from", "join", "then", "when", "else", "case"),
        *("over", "filter", "using", "values", "exists", "by", "distinct", "union", "all", "except", "intersect"),
        *("having", "with", "between", "rollup", "cube", "sets", "like", "any", "some", "is", "escape", "limit"),
        *("offset", "end", "decimal"),
    }
)


# https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html, less what the grammar reserves.
_RESERVED_BY_AWS = frozenset({"EXECUTE", "FIRST", "LAST", "OF"})


class QueryError(Exception):
    """A query is wrong or outside the subset.

    `line` and `column` count from 1 in the text; 0 where the place is not known.
    """

    def __init__(self, reason: str, *, line: int = 0, column: int = 0, remedy: str = "") -> None:
        self.reason, self.line, self.column, self.remedy = reason, line, column, remedy
        super().__init__((f"{self.place}: " if line else "") + reason + (f" ({remedy})" if remedy else ""))

    @property
    def place(self) -> str:
        """The place in the text in words; empty where it is not known."""
        if not self.line:
            return ""
        return f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"


def parse_query(text: str) -> exp.Query:
    """Parse the one SELECT in `text`. Raises QueryError for anything else, and for what Trino's grammar refuses."""
    _refuse_bad_syntax(text)
    try:
        tokens = tokenize(text, read=DIALECT)
        statements = [tree for tree in parse(text, read=DIALECT) if tree is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        raise QueryError(str(first.get("description", error)), line=int(first.get("line") or 0)) from error
    except TokenError as error:
        raise QueryError(str(error)) from error
    if len(statements) != 1:
        raise QueryError(f"{len(statements)} statements", remedy="write exactly one SELECT")
    tree = statements[0]
    if not isinstance(tree, exp.Query) or isinstance(tree, exp.Subquery | exp.Table):
        raise QueryError(f"{tree.key.upper()} is not a SELECT", line=tokens[0].line, remedy="write exactly one SELECT")
    _refuse_foreign_syntax(tokens, tree)
    _refuse_reserved(tree)
    return tree


def _refuse_bad_syntax(text: str) -> None:
    body = text.rstrip().removesuffix(";")
    mistake = first_mistake(body)
    if mistake is None:
        return
    reason, remedy = explain(mistake)
    if mistake.word == ";" or mistake.words == ("",):  # how many statements there are is the parser's to say
        return
    raise QueryError(reason, line=mistake.line, column=mistake.column, remedy=remedy)


def table_nodes(tree: exp.Query) -> Iterator[exp.Table]:
    """Find every place where the query names a table, CTE names left out."""
    for scope in traverse_scope(tree):
        for table in scope.tables:
            if table.db or table.name not in scope.cte_sources:
                yield table


def line_of(node: exp.Expr) -> int:
    """Find the line of a node's first word; of the nearest node around it that has one, otherwise."""
    place: exp.Expr | None = node
    while place is not None:
        for inner in place.walk():
            if "line" in inner.meta:
                return int(inner.meta["line"])
        place = place.parent
    return 0


def _check_interval(tokens: Sequence[Token], interval: Token, value: Token) -> None:
    """Refuse `INTERVAL '1 day'` and `INTERVAL '2' WEEK`, of which sqlglot makes what Athena would not read."""
    after = next((token.text.upper() for token in tokens if token.start > value.end), "")
    if value.token_type != TokenType.STRING or not value.text.isdigit() or after not in INTERVAL_UNITS:
        raise QueryError(
            "this INTERVAL is not Athena SQL",
            line=interval.line,
            remedy="INTERVAL '1' DAY, with one of " + " ".join(sorted(INTERVAL_UNITS)),
        )


def _refuse_reserved(tree: exp.Query) -> None:
    """Refuse the names that AWS lists as reserved and newer Trino does not: they need double quotes."""
    for name in tree.find_all(exp.Identifier):
        if not name.quoted and name.name.upper() in _RESERVED_BY_AWS:
            raise QueryError(
                f"{name.name} is a reserved word of Athena",
                line=line_of(name),
                remedy=f'write "{name.name}" in double quotes',
            )


def _refuse_foreign_syntax(tokens: Sequence[Token], tree: exp.Query) -> None:
    """Refuse what sqlglot reads and Athena does not: `::`, `==`, functions with names that Athena does not have."""
    names = {alias.name.lower() for alias in tree.find_all(exp.TableAlias)}
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.token_type == TokenType.DCOLON or token.text == "==":
            raise QueryError(f"{token.text} is not Athena SQL", line=token.line, remedy="CAST(x AS type), or =")
        if token.token_type == TokenType.INTERVAL and following is not None:
            _check_interval(tokens, token, following)
        word = token.text.lower()
        called = following is not None and following.token_type == TokenType.L_PAREN and word[:1].isalpha()
        if called and token.token_type != TokenType.STRING and word not in FUNCTIONS | _NOT_FUNCTIONS | names:
            raise QueryError(
                f"function {word}() is outside the SELECT subset",
                line=token.line,
                remedy="one of " + " ".join(sorted(FUNCTIONS)),
            )
