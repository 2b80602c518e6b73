"""A query resolved against its tables: which tables and columns it reads, which columns it gives, each with its type.

Refuses with a line number what Athena would refuse and what the subset leaves out. Knows nothing of marts, nothing of
DuckDB: marts (`parse.py`) and the offline Athena both stand on it. Parsing is in `query.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from sluice.warehouse.query import DIALECT, QueryError, line_of, table_nodes
from sluice.warehouse.shape import check_scope, check_text
from sluice.warehouse.subset import INTERVAL_UNITS, RULES, STRUCTURE, Refused
from sluice.warehouse.types import UNKNOWN, common, common_of, of_number

TYPE = "athena_type"  # where each expression of an analysed tree keeps its type: `node.meta[TYPE]`

Columns = Sequence[tuple[str, str]]  # (name, Athena type), in order

_JOIN_KINDS = frozenset({"", "INNER", "OUTER", "CROSS"})


@dataclass(frozen=True)
class Analysis:
    """A qualified tree whose expressions carry their types, and what is known of it."""

    tree: exp.Query
    columns: Columns
    reads: Mapping[str, tuple[str, ...]]  # table: the columns that the query needs, sorted


def analyse(tree: exp.Query, tables: Mapping[str, Columns]) -> Analysis:
    """Resolve and type a parsed query over `tables` (by lower-case name). `tree` is consumed."""
    for table in table_nodes(tree):
        if table.name.lower() not in tables:
            near = ", ".join(sorted(tables)) or "none"
            raise QueryError(f"unknown table {table.name}", line=line_of(table), remedy=f"tables here: {near}")
    check_text(tree)
    _name_outputs(tree)
    schema = MappingSchema(
        {name: dict.fromkeys((column for column, _ in columns), "varchar") for name, columns in tables.items()},
        dialect=DIALECT,
    )
    try:
        resolved = qualify(
            tree, schema=schema, dialect=DIALECT, expand_alias_refs=False, quote_identifiers=False, identify=False
        )
    except OptimizeError as error:
        raise _unresolved(error, tree) from error
    typed = _Typing({name: dict(columns) for name, columns in tables.items()})
    columns = typed.query(resolved)
    if "interval" in dict(columns).values():
        raise QueryError("a column of type INTERVAL", line=line_of(resolved), remedy="date_diff('day', x, y)")
    return Analysis(resolved, columns, {name: tuple(sorted(used)) for name, used in sorted(typed.reads.items())})


def _name_outputs(tree: exp.Query) -> None:
    """Athena calls unnamed results `_col0`, `_col1`, ... by their position."""
    for select in (tree, *tree.find_all(exp.Select)):
        if isinstance(select, exp.Select):
            for place, item in enumerate(select.expressions):
                if not (item.alias or item.is_star or isinstance(item, exp.Column)):
                    item.replace(exp.alias_(item.copy(), f"_col{place}"))


def _unresolved(error: OptimizeError, tree: exp.Query) -> QueryError:
    """Say what could not be resolved, and where: sqlglot tells the line only sometimes."""
    text, found, place = str(error).partition(" Line: ")
    line = int(place.partition(",")[0]) if found else 0
    name = text.removeprefix("Unknown column: ")
    for column in tree.find_all(exp.Column) if not found else ():
        line = line or (line_of(column) if column.name == name else 0)
    return QueryError(
        text.rstrip("."),
        line=line,
        remedy="name a column of a table in FROM; an alias of SELECT is known in ORDER BY only",
    )


def _interval(node: exp.Expr) -> str:
    unit = node.args.get("unit")
    if not (isinstance(node.this, exp.Literal) and isinstance(unit, exp.Var) and unit.name.upper() in INTERVAL_UNITS):
        raise Refused("this INTERVAL", "INTERVAL '1' DAY, two weeks are '14' DAY, a quarter is '3' MONTH")
    return "interval"


_LEAVES: Mapping[type[exp.Expr], Callable[[exp.Expr], str]] = {
    exp.Literal: lambda node: "varchar" if node.is_string else of_number(node.name),
    exp.Null: lambda _: UNKNOWN,
    exp.Boolean: lambda _: "boolean",
    exp.Star: lambda _: "",
    exp.DataType: lambda _: "",
    exp.Interval: _interval,
}


class _Typing:
    """Types every expression, inner queries first, and notes which columns are read."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        self.tables = tables
        self.reads: dict[str, set[str]] = {}
        self._outputs: dict[int, list[tuple[str, str]]] = {}
        self._scope: Scope | None = None

    def query(self, tree: exp.Query) -> Columns:
        for scope in traverse_scope(tree):
            self._scope = scope
            self._check_shape(scope)
            self._resolve_having(scope)
            check_scope(scope)
            self._outputs[id(scope.expression)] = self._columns_of(scope.expression)
        return self._outputs[id(tree)]

    def _resolve_having(self, scope: Scope) -> None:
        """Name the tables of bare columns in HAVING, which `qualify` leaves alone."""
        having = scope.expression.args.get("having")
        for column in having.find_all(exp.Column) if having is not None else ():
            inside = column.find_ancestor(exp.Query)
            if column.table or inside is not scope.expression:
                continue
            owners = [name for name, source in scope.sources.items() if column.name in self._names(source)]
            if len(owners) == 1:
                column.set("table", exp.to_identifier(owners[0]))

    def _names(self, source: Scope | exp.Table) -> Mapping[str, str]:
        if isinstance(source, exp.Table):
            return self.tables.get(source.name, {})
        return dict(self._outputs.get(id(source.expression), ()))

    def _check_shape(self, scope: Scope) -> None:
        for table in scope.tables:
            if table.name not in scope.cte_sources:
                self.reads.setdefault(table.name, set())
        with_ = scope.expression.args.get("with_")
        if with_ is not None and with_.args.get("recursive"):
            raise QueryError("recursive CTE is outside the SELECT subset", line=line_of(with_))
        for join in scope.expression.args.get("joins") or ():
            if join.kind not in _JOIN_KINDS or join.method:
                raise QueryError(
                    f"{join.method or join.kind} JOIN is outside the SELECT subset",
                    line=line_of(join),
                    remedy="JOIN ... ON or USING",
                )
        group = scope.expression.args.get("group")
        for unknown in ("qualify", "laterals", "sample", "distribute", "connect", "pivots", "into"):
            if scope.expression.args.get(unknown):
                raise QueryError(f"{unknown.upper()} is outside the SELECT subset", line=line_of(scope.expression))
        if group is not None and group.args.get("all"):
            raise QueryError("GROUP BY ALL is outside the SELECT subset", line=line_of(group))

    def _columns_of(self, query: exp.Expr) -> list[tuple[str, str]]:
        if isinstance(query, exp.SetOperation):
            sides = [self._outputs[id(side.unnest())] for side in (query.left, query.right)]
            if len(sides[0]) != len(sides[1]):
                raise QueryError(
                    f"{query.key.upper()} of {len(sides[0])} and {len(sides[1])} columns", line=line_of(query)
                )
            both = [(name, common(left, right)) for (name, left), (_, right) in zip(*sides, strict=True)]
            for name, type_ in both:
                if type_ is None:
                    raise QueryError(f"{query.key.upper()}: column {name} has two types", line=line_of(query))
            self._visit_rest(query, leave=("this", "expression", "with_"))
            return [(name, str(type_)) for name, type_ in both]
        if isinstance(query, exp.Values):
            return self._values(query)
        if not isinstance(query, exp.Select):
            raise QueryError(f"{query.key.upper()} is outside the SELECT subset", line=line_of(query))
        columns = [(item.alias_or_name, self.type_of(item)) for item in query.expressions]
        self._visit_rest(query, leave=("expressions", "with_"))
        return columns

    def _values(self, query: exp.Values) -> list[tuple[str, str]]:
        rows = [[self.type_of(cell) for cell in row.expressions] for row in query.expressions]
        names = [column.name for column in query.args["alias"].columns] if query.args.get("alias") else []
        types: list[str] = []
        for place in range(len(rows[0])):
            shared = common_of(row[place] for row in rows)
            if shared is None:
                raise QueryError(f"VALUES: column {place + 1} has two types", line=line_of(query))
            types.append(shared)
        return list(zip(names or [f"_col{place}" for place in range(len(types))], types, strict=False))

    def _visit_rest(self, query: exp.Expr, *, leave: Sequence[str]) -> None:
        for key, value in query.args.items():
            if key not in leave:
                for part in value if isinstance(value, list) else [value]:
                    if isinstance(part, exp.Expr):
                        self.type_of(part)
                        if isinstance(part, exp.Where | exp.Having):
                            self._condition(part.this)
                        if isinstance(part, exp.Join) and part.args.get("on"):
                            self._condition(part.args["on"])

    def type_of(self, node: exp.Expr) -> str:
        """Return the type of an expression, empty for a part of the query's shape. Raises QueryError."""
        if TYPE not in node.meta:
            try:
                node.meta[TYPE] = self._type_of(node)
            except Refused as refused:
                raise QueryError(refused.reason, line=line_of(node), remedy=refused.remedy) from refused
        return str(node.meta[TYPE])

    def _type_of(self, node: exp.Expr) -> str:
        if type(node) in _LEAVES:
            return _LEAVES[type(node)](node)
        if isinstance(node, exp.Query) and not isinstance(node, exp.Subquery):
            outputs = self._outputs.get(id(node), [])
            return outputs[0][1] if outputs else ""
        special: Mapping[type[exp.Expr], Callable[[exp.Expr], str]]
        special = {exp.Column: self._column, exp.Case: self._case, exp.If: self._if}
        if type(node) in special:
            return special[type(node)](node)
        args = [kind for kind in map(self.type_of, node.iter_expressions()) if kind]
        if isinstance(node, exp.Distinct | exp.Subquery):
            return args[0] if args else ""
        return "" if type(node) in STRUCTURE else self._by_rule(node, args)

    def _by_rule(self, node: exp.Expr, args: Sequence[str]) -> str:
        rule = RULES.get(type(node))
        if rule is None:
            raise Refused(f"{node.sql(DIALECT)} is outside the SELECT subset")
        try:
            result = rule(node, args)
        except IndexError:
            result = None
        if result is None:
            raise Refused(
                f"{node.sql(DIALECT)}: types ({', '.join(args)}) do not fit", "CAST to the type that is meant"
            )
        return result

    def _column(self, node: exp.Expr) -> str:
        scope = self._scope
        while scope is not None:
            source = scope.sources.get(node.text("table"))
            if isinstance(source, exp.Table):
                self.reads.setdefault(source.name, set()).add(node.name)
                return self.tables[source.name][node.name]
            if isinstance(source, Scope):
                return dict(self._outputs[id(source.expression)])[node.name]
            scope = scope.parent
        own = self._scope.expression if self._scope else None
        if isinstance(own, exp.Select) and node.find_ancestor(exp.Order, exp.Select) is not own:
            for item in own.expressions:
                if item.alias_or_name == node.name:
                    return self.type_of(item)
        if isinstance(own, exp.SetOperation):
            return dict(self._columns_of_first(own)).get(node.name, UNKNOWN)
        raise Refused(f"unknown column {node.sql(DIALECT)}", "an alias of SELECT is known in ORDER BY only")

    def _columns_of_first(self, query: exp.SetOperation) -> Columns:
        return self._outputs[id(query.left.unnest())]

    def _if(self, node: exp.Expr) -> str:
        self._condition(node.this)
        return self._agree(node, [node.args["true"], node.args.get("false") or exp.null()])

    def _case(self, node: exp.Expr) -> str:
        for branch in node.args["ifs"]:
            if node.this is not None and common(self.type_of(node.this), self.type_of(branch.this)) is None:
                raise Refused(f"{node.sql(DIALECT)}: WHEN has another type than CASE")
            if node.this is None:
                self._condition(branch.this)
        return self._agree(node, [*(i.args["true"] for i in node.args["ifs"]), node.args.get("default") or exp.null()])

    def _condition(self, node: exp.Expr) -> None:
        if self.type_of(node) not in ("boolean", UNKNOWN):
            raise QueryError(f"{node.sql(DIALECT)} is not a condition", line=line_of(node))

    def _agree(self, node: exp.Expr, branches: Sequence[exp.Expr]) -> str:
        shared = common_of(map(self.type_of, branches))
        if shared is None:
            raise Refused(f"{node.sql(DIALECT)}: the branches have different types", "CAST them to one type")
        return shared
