"""Rules of Athena's analyzer about the shape of a query: what is grouped, what is counted, what DISTINCT may order by.

sqlglot knows none of them, and DuckDB is more lenient in some. `check_text` reads the tree as it was written,
`check_scope` after names are resolved.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from sluice.warehouse.query import QueryError, line_of

_WRAPPERS = (exp.Filter, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup)
_NEEDS_OVER = (
    *(exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile),
    *(exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue),
)


def check_text(tree: exp.Query) -> None:
    """Refuse what the optimizer of sqlglot would hide by rewriting it. Raises QueryError."""
    for join in tree.find_all(exp.Join):
        if str(join.method).upper() == "NATURAL":
            raise QueryError("NATURAL JOIN is not done by Athena", line=line_of(join), remedy="JOIN ... USING (...)")
    for group in tree.find_all(exp.Rollup, exp.Cube, exp.GroupingSets):
        for part in group.expressions:
            for item in part.expressions if isinstance(part, exp.Tuple) else [part]:
                if not isinstance(item.unnest(), exp.Column | exp.Tuple):
                    raise QueryError(
                        f"{group.key.upper()} takes names of columns only",
                        line=line_of(group),
                        remedy="give the expression a name in an inner SELECT",
                    )
    for distinct in tree.find_all(exp.Distinct):
        if isinstance(distinct.parent, exp.AggFunc) and len(distinct.expressions) > 1:
            raise QueryError(
                f"{distinct.parent.key}(DISTINCT ...) takes one argument in Athena",
                line=line_of(distinct),
                remedy="count(*) over SELECT DISTINCT a, b",
            )


def check_scope(scope: Scope) -> None:
    """Refuse aggregates and windows where they may not stand, and columns that are not grouped. Raises QueryError."""
    select = scope.expression
    if not isinstance(select, exp.Select):
        return
    _check_places(select)
    for window in (node for node in _own(select) if isinstance(node, exp.Window)):
        if isinstance(_call(window), exp.AggFunc) and isinstance(_call(window).this, exp.Distinct):
            raise QueryError("DISTINCT in a window function is not done by Athena", line=line_of(window))
    for node in _own(select):
        if isinstance(node, exp.AggFunc | exp.RowNumber):
            _check_call(node)
    if scope.is_correlated_subquery and (select.args.get("order") or select.args.get("limit")):
        raise QueryError(
            "ORDER BY or LIMIT in a correlated subquery is not done by Athena",
            line=line_of(select),
            remedy="max_by(x, y), or row_number() OVER (...) in an inner SELECT",
        )
    if select.args.get("group") is not None or any(_is_aggregate(node) for node in _output(select)):
        _check_grouped(scope, select)
    if select.args.get("distinct") and select.args.get("order"):
        _check_distinct_order(select)


def _check_places(select: exp.Select) -> None:
    """Aggregates count what WHERE, ON and GROUP BY let through, so they cannot stand there; windows come last."""
    places = {"WHERE": [select.args.get("where")], "GROUP BY": [select.args.get("group")]}
    places["ON"] = [join.args.get("on") for join in select.args.get("joins") or ()]
    for name, parts in places.items():
        for node in (node for part in parts if part is not None for node in _own(part)):
            if _is_aggregate(node):
                raise QueryError(f"{node.key}() in {name}", line=line_of(node), remedy="HAVING, or an inner SELECT")
            if isinstance(node, exp.Window):
                raise QueryError(f"a window function in {name}", line=line_of(node), remedy="an inner SELECT")
    having = select.args.get("having")
    for node in _own(having) if having is not None else ():
        if isinstance(node, exp.Window):
            raise QueryError("a window function in HAVING", line=line_of(node), remedy="an inner SELECT")


def _check_call(node: exp.Expr) -> None:
    window = _window_of(node)
    if isinstance(node, _NEEDS_OVER):
        if window is None:
            raise QueryError(f"{node.key}() needs OVER (...)", line=line_of(node))
        offset = node.args.get("offset")
        if isinstance(offset, exp.Neg):
            raise QueryError(f"{node.key}() of a negative offset", line=line_of(node), remedy="lead() looks forward")
        return
    if window is None:
        for inner in _own(node):
            if inner is not node and (isinstance(inner, exp.Window) or _is_aggregate(inner)):
                raise QueryError(
                    f"{node.key}() of an aggregate or window function", line=line_of(node), remedy="an inner SELECT"
                )


def _check_grouped(scope: Scope, select: exp.Select) -> None:
    group = select.args.get("group")
    keys = [key.unnest() for key in _group_keys(group)] if group is not None else []
    for part in _outputs(select):
        for column in _ungrouped(part, keys, scope):
            raise QueryError(
                f"{column.name} must be in GROUP BY or inside an aggregate",
                line=line_of(column),
                remedy=f"GROUP BY {column.name}, or max({column.name})",
            )


def _ungrouped(node: exp.Expr, keys: list[exp.Expr], scope: Scope) -> Iterator[exp.Column]:
    inside = node
    while isinstance(inside, _WRAPPERS):  # its condition is judged before rows are grouped
        inside = inside.this
    if node.unnest() in keys or _is_aggregate(inside):
        return
    if isinstance(node, exp.Column):
        if node.table in scope.sources:  # else it is an alias of SELECT, or of the query around this one
            yield node
        return
    if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
        return  # judged as a scope of its own
    for child in node.iter_expressions():
        yield from _ungrouped(child, keys, scope)


def _group_keys(node: exp.Expr) -> Iterator[exp.Expr]:
    """Find the expressions of GROUP BY, those in ROLLUP, CUBE and GROUPING SETS too."""
    for part in node.iter_expressions():
        if isinstance(part, exp.Rollup | exp.Cube | exp.GroupingSets | exp.Tuple | exp.Paren):
            yield from _group_keys(part)
        yield part


def _check_distinct_order(select: exp.Select) -> None:
    given = {item.alias_or_name for item in select.expressions}
    said = [item.unalias() for item in select.expressions]
    for ordered in select.args["order"].expressions:
        key = ordered.this.unnest()
        named = isinstance(key, exp.Column) and key.name in given
        if not (named or key in said or isinstance(key, exp.Literal)):
            raise QueryError(
                f"ORDER BY {key.sql('athena')} beside DISTINCT",
                line=line_of(ordered),
                remedy="order by columns of the SELECT",
            )


def _outputs(select: exp.Select) -> Iterator[exp.Expr]:
    yield from select.expressions
    for name in ("having", "order"):
        if select.args.get(name) is not None:
            yield select.args[name]


def _output(select: exp.Select) -> Iterator[exp.Expr]:
    for part in _outputs(select):
        yield from _own(part)


def _own(node: exp.Expr) -> Iterator[exp.Expr]:
    """Walk a tree without the queries inside it."""
    return node.walk(prune=lambda inner: inner is not node and isinstance(inner, exp.Query))


def _is_aggregate(node: exp.Expr) -> bool:
    return isinstance(node, exp.AggFunc) and not isinstance(node, _NEEDS_OVER) and _window_of(node) is None


def _window_of(node: exp.Expr) -> exp.Window | None:
    """Find the OVER that makes this call a window function."""
    while isinstance(node.parent, _WRAPPERS) and node.arg_key == "this":
        node = node.parent
    return node.parent if isinstance(node.parent, exp.Window) and node.arg_key == "this" else None


def _call(window: exp.Window) -> exp.Expr:
    node: exp.Expr = window.this
    while isinstance(node, _WRAPPERS):
        node = node.this
    return node
