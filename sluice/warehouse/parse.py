"""Mart files compiled: header, SELECT, dependencies, columns with types. Used at synth; mistakes become ContractErrors.

Two steps, because a mart may read marts: `draft` reads one file for itself, `compile_marts` puts the drafts in order
and types each over the tables and the marts before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from sqlglot import exp, tokenize

from sluice.errors import ContractError
from sluice.warehouse.analyse import Columns, analyse
from sluice.warehouse.header import Header, parse_header
from sluice.warehouse.mart import Mart, TableReference
from sluice.warehouse.order import in_dependency_order
from sluice.warehouse.query import DIALECT, QueryError, line_of, parse_query, table_nodes
from sluice.warehouse.types import UNKNOWN, from_iceberg

__all__ = ["Mart", "compile_marts", "parse_mart"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
_PARTITION = re.compile(r"(?:(year|month|day|hour)\()?([a-z_][a-z0-9_]*)(?(1)\))")
_CLOCK_TRANSFORMS = {"date": ("year", "month", "day"), "timestamp": ("year", "month", "day", "hour")}


@dataclass(frozen=True)
class Draft:
    """A mart file read for itself: nothing is known yet of the tables that it reads."""

    name: str
    file: str
    header: Header
    tree: exp.Query
    first_line: int
    sql: str
    references: tuple[TableReference, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Tables and marts that it reads, sorted."""
        return tuple(sorted({reference.table for reference in self.references}))


def compile_marts(texts: Mapping[str, str], *, tables: Mapping[str, Columns]) -> Sequence[Mart]:
    """Compile mart files (`file: text`) over tables with Iceberg types, in dependency order. Raises ContractError."""
    drafts = [draft(text, file=file) for file, text in texts.items()]
    for one in drafts:
        if one.name in tables:
            raise ContractError(
                f"{one.name} is the name of a table too", file=one.file, remedy="give the mart a name of its own"
            )
    known: dict[str, Columns] = {
        name: [(column, from_iceberg(kind)) for column, kind in columns] for name, columns in tables.items()
    }
    marts: dict[str, Mart] = {}
    for one in in_dependency_order(drafts):
        marts[one.name] = mart = typed(one, known)
        known[mart.name] = mart.columns
    return tuple(marts.values())


def parse_mart(text: str, *, file: str, tables: Mapping[str, Columns]) -> Mart:
    """Compile one mart that reads no other mart. `tables` have Iceberg types."""
    return compile_marts({file: text}, tables=tables)[0]


def draft(text: str, *, file: str, header: Header | None = None) -> Draft:
    """Read the SELECT, the tables it names, and its header unless one is given. Raises ContractError."""
    name = PurePath(file).stem
    if not _NAME.fullmatch(name):
        raise ContractError(f"{name!r} is not a mart's name", file=file, remedy="lower case letters, digits and _")
    header = header or parse_header(text, file=file)
    try:
        tree = parse_query(text)
        nodes = sorted(table_nodes(tree), key=lambda table: int(table.this.meta.get("start", -1)))
    except QueryError as error:
        raise _contract_error(error, file) from error
    tokens = [token for token in tokenize(text, read=DIALECT) if token.text != ";"]
    start, end = tokens[0].start, tokens[-1].end + 1
    for table in nodes:
        _refuse_place(table, file=file)
    return Draft(
        name=name,
        file=file,
        header=header,
        tree=tree,
        first_line=tokens[0].line,
        sql=text[start:end],
        references=tuple(
            TableReference(
                table=table.name.lower(),
                start=int(table.this.meta["start"]) - start,
                end=int(table.this.meta["end"]) + 1 - start,
                aliased=bool(table.alias),
            )
            for table in nodes
        ),
    )


def _refuse_place(table: exp.Table, *, file: str) -> None:
    place = f"line {line_of(table)}"
    if not isinstance(table.this, exp.Identifier):
        raise ContractError(f"{table.sql(DIALECT)} in FROM", file=file, place=place, remedy="name a table")
    if table.db:
        raise ContractError(
            f"table {table.sql(DIALECT)} names a database", file=file, place=place, remedy=f"write {table.name}"
        )
    if table.args.get("version") or table.args.get("when"):
        raise ContractError(
            f"table {table.name} is pinned by the mart",
            file=file,
            place=place,
            remedy="leave FOR VERSION or TIMESTAMP AS OF out: each refresh pins all tables",
        )


def typed(one: Draft, known: Mapping[str, Columns]) -> Mart:
    """Type a draft over the tables and marts that it reads (Athena types). Raises ContractError."""
    try:
        analysis = analyse(one.tree, known)
    except QueryError as error:
        raise _contract_error(error, one.file) from error
    columns = tuple(analysis.columns)
    _check_names(one, columns)
    _check_header(one, dict(columns))
    return Mart(
        name=one.name,
        materialized=one.header.materialized,
        description=one.header.description,
        keys=one.header.keys,
        partitioned_by=one.header.partitioned_by,
        tests=one.header.tests,
        columns=columns,
        sources=one.sources,
        references=one.references,
        sql=one.sql,
        first_line=one.first_line,
    )


def _check_names(one: Draft, columns: Columns) -> None:
    seen: set[str] = set()
    for place, (name, kind) in enumerate(columns, start=1):
        if kind == UNKNOWN:
            raise ContractError(
                f"column {name} has no type: it is NULL in every row",
                file=one.file,
                place=f"line {one.first_line}",
                remedy=f"CAST(NULL AS varchar) AS {name}",
            )
        if name in seen:
            raise ContractError(
                f"two columns are named {name}",
                file=one.file,
                place=f"line {one.first_line}",
                remedy="rename one with AS",
            )
        if name.startswith("_col") or not _NAME.fullmatch(name.lstrip("_")):
            raise ContractError(
                f"column {place} has no name" if name.startswith("_col") else f"column name {name!r}",
                file=one.file,
                place=f"line {one.first_line}",
                remedy="name it with AS: lower case letters, digits and _",
            )
        seen.add(name)


def _check_header(one: Draft, columns: Mapping[str, str]) -> None:
    def fail(message: str, remedy: str) -> ContractError:
        return ContractError(message, file=one.file, place="header", remedy=remedy)

    for used in (one.header.keys, *(test.columns for test in one.header.tests)):
        for name in used:
            if name not in columns:
                raise fail(f"{name} is not a column of the mart", "one of " + ", ".join(columns))
    for entry in one.header.partitioned_by:
        match = _PARTITION.fullmatch(entry)
        if match is None or match[2] not in columns:
            raise fail(f"partitioned_by {entry!r}", "a column, or year, month, day, hour of one: month(day)")
        if match[1] and match[1] not in _CLOCK_TRANSFORMS.get(columns[match[2]], ()):
            raise fail(f"partitioned_by {entry!r} of a {columns[match[2]]}", "partition by the column itself")


def _contract_error(error: QueryError, file: str) -> ContractError:
    return ContractError(error.reason, file=file, place=error.place, remedy=error.remedy)
