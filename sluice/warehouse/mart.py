"""A mart in its compiled form: plain data with a JSON form. What the refresh Lambda reads; it needs no SQL parser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Materialization = Literal["table", "view"]
Rule = Literal["not_null", "unique"]


@dataclass(frozen=True)
class TableReference:
    """One place of a mart's SQL that names a table: `sql[start:end]`. `aliased` where the author gave an alias."""

    table: str
    start: int
    end: int
    aliased: bool


@dataclass(frozen=True)
class MartTest:
    """A promise about the mart's rows, checked before they become visible."""

    rule: Rule
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Mart:
    """One SELECT in `marts/<name>.sql` and what its header says."""

    name: str
    materialized: Materialization
    description: str
    keys: tuple[str, ...]
    partitioned_by: tuple[str, ...]  # as Athena's CTAS takes them: `carrier`, `month(day)`
    tests: tuple[MartTest, ...]  # those of the header, and what `keys` imply
    columns: tuple[tuple[str, str], ...]  # (name, Athena type) of the result
    sources: tuple[str, ...]  # tables and marts that it reads, sorted
    references: tuple[TableReference, ...]  # in the order of the text
    sql: str  # the SELECT as its author wrote it
    first_line: int = 1  # of the SELECT in its file

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the compiled mart: changes when its content may change."""
        content = asdict(self)
        del content["first_line"]  # a comment above the SELECT changes nothing
        return hashlib.sha256(_canonical(content).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, so that equal marts are equal texts."""
        return _canonical(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Mart:
        """Read what `to_json` wrote."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Mart:
        """Build a mart from its JSON object."""
        return cls(
            **{
                **data,
                "keys": tuple(data["keys"]),
                "partitioned_by": tuple(data["partitioned_by"]),
                "tests": tuple(MartTest(test["rule"], tuple(test["columns"])) for test in data["tests"]),
                "columns": tuple((name, kind) for name, kind in data["columns"]),
                "sources": tuple(data["sources"]),
                "references": tuple(TableReference(**reference) for reference in data["references"]),
            }
        )


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def marts_to_json(marts: Iterable[Mart]) -> str:
    """Write all marts of a project, in dependency order: the content of `marts.json`."""
    return "[" + ",\n".join(mart.to_json() for mart in marts) + "]\n"


def marts_from_json(text: str) -> Sequence[Mart]:
    """Read what `marts_to_json` wrote."""
    return tuple(Mart.from_dict(data) for data in json.loads(text))
