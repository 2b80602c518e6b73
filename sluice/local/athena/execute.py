"""Execution of one statement of Athena SQL: its kind, its tables, its answer.

`execute` is all that the offline AWS needs. Statements that change rows in place are refused: in Sluice only the
publish step does that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError
from sqlglot import exp, parse_one, tokenize
from sqlglot.errors import SqlglotError

from sluice.local.athena.duck import to_duckdb
from sluice.local.athena.tables import (
    Access,
    Relation,
    Scans,
    arrow_type,
    find_table,
    find_view,
    glue_type,
    view_entry,
)
from sluice.local.athena.write import create_table
from sluice.warehouse.analyse import Columns, analyse
from sluice.warehouse.query import DIALECT, QueryError, line_of, parse_query, table_nodes

_DEEPEST_VIEW = 10
_NAME = r'["`]?([\w$]+)["`]?'
_PATH = rf"(?:{_NAME}\.)?{_NAME}"
_SHOW = re.compile(rf"SHOW\s+(TABLES|VIEWS)(?:\s+(?:IN|FROM)\s+{_NAME})?(?:\s+'([^']*)')?", re.IGNORECASE)
_DATABASES = re.compile(r"SHOW\s+(?:DATABASES|SCHEMAS)", re.IGNORECASE)
_DESCRIBE = re.compile(rf"(?:DESCRIBE|DESC|SHOW\s+COLUMNS\s+(?:IN|FROM))\s+{_PATH}", re.IGNORECASE)
_DROP = re.compile(rf"DROP\s+(TABLE|VIEW)\s+(IF\s+EXISTS\s+)?{_PATH}", re.IGNORECASE)


class AthenaError(Exception):
    """The statement failed: the reason that GetQueryExecution gives."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The answer of a statement. Cells are Python values; `scanned` is the bytes that Athena might bill."""

    columns: Columns = ()  # (name, Athena type)
    rows: Sequence[tuple[Any, ...]] = ()
    statement: Literal["DML", "DDL", "UTILITY"] = "DML"
    scanned: int = 0


def execute(
    sql: str,
    *,
    database: str,
    endpoint: str,
    region: str = "eu-west-1",
    credentials: tuple[str, str, str | None] = ("athena", "offline", None),
    scans: Scans | None = None,
) -> Result:
    """Execute one statement in `database` of the Glue catalog at `endpoint`.

    `credentials` (access key, secret, session token) are the caller's: Athena reads as its caller. `scans` keeps what
    was read for the next statement. Raises AthenaError for statements that Athena refuses, and for those that are not
    supported offline.
    """
    access = Access(endpoint=endpoint, region=region, credentials=credentials)
    try:
        return _Session(database, access, Scans() if scans is None else scans).run(sql.strip().rstrip(";").strip())
    except QueryError as error:
        raise AthenaError(str(error)) from error
    except (pa.ArrowException, OverflowError) as error:
        raise AthenaError(f"NUMERIC_VALUE_OUT_OF_RANGE: {str(error).splitlines()[0]}") from error
    except duckdb.Error as error:
        raise AthenaError(f"GENERIC_USER_ERROR: {str(error).splitlines()[0]}") from error


class _Session:
    def __init__(self, database: str, access: Access, scans: Scans) -> None:
        self.database, self.access, self.scans = database, access, scans
        self.catalog = access.catalog()
        self.glue = self.catalog.glue

    def run(self, sql: str) -> Result:
        word = re.match(r"[\s(]*(\w*)", re.sub(r"^(\s*--[^\n]*\n)+", "", sql))
        match word[1].upper() if word else "":
            case "SELECT" | "WITH" | "VALUES":
                return self.select(sql)
            case "CREATE":
                return self.create(sql)
            case "SHOW" | "DESCRIBE" | "DESC":
                return self.show(sql)
            case "DROP":
                return self.drop(sql)
            case other:
                raise QueryError(f"{other or 'an empty statement'} is not done by the offline Athena")

    def select(self, sql: str) -> Result:
        columns, rows, scanned = self.rows_of(sql)
        cells = zip(*map(_cells, rows.columns), strict=True) if columns else ()
        return Result(columns=columns, rows=[tuple(row) for row in cells], scanned=scanned)

    def rows_of(self, sql: str) -> tuple[Columns, pa.Table, int]:
        """Return columns with Athena types, rows in their order, bytes scanned."""
        tree = parse_query(sql)
        relations: dict[str, Relation] = {}
        self._resolve(tree, relations, depth=0)
        analysis = analyse(tree, {name: relation.columns for name, relation in relations.items()})
        text = to_duckdb(analysis.tree)
        with duckdb.connect(config={"enable_external_access": "false", "threads": "2"}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name, used in analysis.reads.items():
                connection.register(name, relations[name].read(used, self.scans))
            answer = connection.execute(text).to_arrow_table()
        columns = [(name, kind) for name, kind in analysis.columns]
        arrays = [
            column.cast(arrow_type(kind)) if _is_plain(kind) else column
            for column, (_, kind) in zip(answer.columns, columns, strict=True)
        ]
        rows = pa.Table.from_arrays(arrays, names=[name for name, _ in columns])
        return columns, rows, sum(relation.scanned() for relation in relations.values())

    def _resolve(self, tree: exp.Query, relations: dict[str, Relation], *, depth: int) -> None:
        """Put a relation of our own in the place of each table, the view's SELECT in the place of each view."""
        if depth > _DEEPEST_VIEW:
            raise QueryError("views are nested too deeply")
        for node in list(table_nodes(tree)):
            database, name, line = (node.db or self.database).lower(), node.name.lower(), line_of(node)
            alias = exp.to_identifier(node.alias or name.replace("$", "_"), quoted="$" in name)
            view = find_view(self.glue, database, name) if "$" not in name else None
            if view is not None:
                inner = parse_query(view)
                self._resolve(inner, relations, depth=depth + 1)
                new: exp.Expr = exp.Subquery(this=inner, alias=exp.TableAlias(this=alias))
            else:
                own = f"relation_{len(relations)}"
                try:
                    relations[own] = find_table(self.catalog, database, name, _version(node))
                except QueryError as error:
                    raise QueryError(error.reason, line=line, remedy=error.remedy) from error
                identifier = exp.to_identifier(own)
                identifier.meta.update(node.this.meta)
                new = exp.Table(this=identifier, alias=exp.TableAlias(this=alias))
            for join in node.args.get("joins") or ():
                new.append("joins", join)
            node.replace(new)

    def create(self, sql: str) -> Result:
        try:
            statement = parse_one(sql, read=DIALECT)
        except SqlglotError as error:
            raise QueryError(str(error)) from error
        if not isinstance(statement, exp.Create) or statement.kind not in ("TABLE", "VIEW") or not statement.expression:
            raise QueryError("only CREATE TABLE ... AS and CREATE VIEW are done by the offline Athena")
        select = _select_part(sql)
        name = (statement.this.db or self.database).lower(), statement.this.name.lower()
        if statement.kind == "VIEW":
            return self.create_view(name, select, replace=bool(statement.args.get("replace")))
        if statement.args.get("exists") and self.catalog.table_exists(name):
            return Result(statement="DDL")
        columns, rows, scanned = self.rows_of(select)
        s3 = self.access.client("s3")
        create_table(self.catalog, s3, name=name, options=_options(statement), columns=columns, rows=rows)
        return Result(statement="DDL", scanned=scanned)

    def create_view(self, name: tuple[str, str], select: str, *, replace: bool) -> Result:
        tree = parse_query(select)
        relations: dict[str, Relation] = {}
        self._resolve(tree, relations, depth=0)
        columns = analyse(tree, {own: relation.columns for own, relation in relations.items()}).columns
        entry = view_entry(*name, select.strip(), columns)
        if find_view(self.glue, *name) is None:
            try:
                self.glue.create_table(DatabaseName=name[0], TableInput=entry)
            except self.glue.exceptions.AlreadyExistsException as error:
                raise QueryError(f"TABLE_ALREADY_EXISTS: {'.'.join(name)} is a table") from error
        elif replace:
            self.glue.update_table(DatabaseName=name[0], TableInput=entry)
        else:
            raise QueryError(f"TABLE_ALREADY_EXISTS: view {'.'.join(name)}", remedy="CREATE OR REPLACE VIEW")
        return Result(statement="DDL")

    def show(self, sql: str) -> Result:
        if _DATABASES.fullmatch(sql):
            names = [entry["Name"] for entry in self.glue.get_databases()["DatabaseList"]]
            return _utility("database_name", names)
        if match := _SHOW.fullmatch(sql):
            pattern = re.compile((match[3] or "*").replace("*", ".*"), re.IGNORECASE)
            found = self._entries(match[2] or self.database, views=match[1].upper() == "VIEWS")
            return _utility("tab_name", [name for name in found if pattern.fullmatch(name)])
        if match := _DESCRIBE.fullmatch(sql):
            return self.describe((match[1] or self.database).lower(), match[2].lower())
        raise QueryError(f"{sql.split(maxsplit=1)[0].upper()} of this form is not done by the offline Athena")

    def _entries(self, database: str, *, views: bool) -> list[str]:
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=database)
        entries = [entry for page in pages for entry in page["TableList"]]
        return sorted(e["Name"] for e in entries if not views or e.get("TableType") == "VIRTUAL_VIEW")

    def describe(self, database: str, name: str) -> Result:
        if (view := find_view(self.glue, database, name)) is not None:
            columns = self.rows_of(f"SELECT * FROM ({view}) AS described LIMIT 0")[0]
        else:
            columns = find_table(self.catalog, database, name, None).columns
        return Result(
            columns=[(column, "varchar") for column in ("col_name", "data_type", "comment")],
            rows=[(column, glue_type(kind), "") for column, kind in columns],
            statement="UTILITY",
        )

    def drop(self, sql: str) -> Result:
        """Drop a table or view. An Iceberg table's files go too, in Athena as here."""
        match = _DROP.fullmatch(sql)
        if match is None:
            raise QueryError("DROP of this form is not done by the offline Athena")
        name = ((match[3] or self.database).lower(), match[4].lower())
        is_view = find_view(self.glue, *name) is not None
        if is_view and match[1].upper() == "VIEW":
            self.glue.delete_table(DatabaseName=name[0], Name=name[1])
        elif is_view or match[1].upper() == "VIEW":
            if not match[2] or is_view:
                raise QueryError(f"{'.'.join(name)} is not a {match[1].lower()}")
        else:
            try:
                self.catalog.purge_table(name)
            except NoSuchTableError as error:
                if not match[2]:
                    raise QueryError(f"TABLE_NOT_FOUND: table {'.'.join(name)} does not exist") from error
        return Result(statement="DDL")


def _utility(column: str, names: Sequence[str]) -> Result:
    return Result(columns=[(column, "varchar")], rows=[(name,) for name in names], statement="UTILITY")


def _cells(column: Any) -> list[Any]:
    """Return Python values; those of `real` in their shortest decimal form, as Athena prints them."""
    values: list[Any] = column.to_pylist()
    if column.type != pa.float32():
        return values
    return [None if value is None else float(str(np.float32(value))) for value in values]


def _is_plain(kind: str) -> bool:
    try:
        arrow_type(kind)
    except QueryError:
        return False
    return True


def _version(node: exp.Table) -> tuple[str, str] | None:
    version = node.args.get("version")
    if version is None:
        return None
    value = version.expression
    if version.this == "VERSION" and isinstance(value, exp.Literal) and value.is_int:
        return "VERSION", value.name
    if version.this == "TIMESTAMP" and isinstance(value, exp.Cast) and isinstance(value.this, exp.Literal):
        return "TIMESTAMP", value.this.name.removesuffix(" UTC")
    raise QueryError("this version is not known to the offline Athena", remedy="FOR VERSION AS OF <snapshot id>")


def _select_part(sql: str) -> str:
    """Find the SELECT of a CREATE statement, lines kept: the text after the first AS outside parentheses."""
    depth = 0
    for token in tokenize(sql, read=DIALECT):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text.upper() == "AS":
            return "\n" * sql.count("\n", 0, token.end) + sql[token.end + 1 :].lstrip(" ")
    raise QueryError("CREATE without AS is not done by the offline Athena")


def _options(statement: exp.Create) -> dict[str, Any]:
    options: dict[str, Any] = {}
    properties = statement.args.get("properties")
    for item in properties.expressions if properties else ():
        match item:
            case exp.LocationProperty():
                options["location"] = item.name
            case exp.FileFormatProperty():
                options["format"] = item.name
            case exp.Property() if isinstance(item.args["value"], exp.Array):
                options[item.name.lower()] = [entry.name for entry in item.args["value"].expressions]
            case exp.Property() if isinstance(item.args["value"], exp.Boolean):
                options[item.name.lower()] = bool(item.args["value"].this)
            case exp.Property():
                options[item.name.lower()] = item.args["value"].name
            case _:
                options[item.key] = item.sql(DIALECT)
    return options
