"""The plan: a contract compiled to plain data. Runtimes read it without YAML, pydantic or a SQL parser.

Compiling happens at synth (`sluice.contract.compile`). This module only holds the shapes and their JSON form.
SQL in a plan is DuckDB SQL over quoted identifiers, compiled from validated names; values from files never enter it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sluice.locations import rejects_table
from sluice.state import opened, stamped

Mode = Literal["append", "merge", "replace"]
Format = Literal["csv", "json", "parquet", "xlsx"]  # facts about each: `filetypes`
OnDelete = Literal["keep", "retract"]
Severity = Literal["reject", "warn", "stop"]
Protect = Literal["", "hash", "mask", "omit"]
Measured = Literal["rows", "break", "repeat", "query"]
BudgetAction = Literal["warn", "stop"]

# Column names that Sluice adds to every curated row, in order, with their Iceberg types. `_sluice_run` is the only one
# that is not a function of the raw zone and the contract: comparisons with a rebuild leave it out.
PROVENANCE: tuple[tuple[str, str], ...] = (
    ("_sluice_load", "string"),  # load_id
    ("_sluice_object", "string"),  # object key
    ("_sluice_version", "string"),  # object version id
    ("_sluice_order", "string"),  # sorts by age: last-modified time, key, ordinal within that second (`repairs`)
    ("_sluice_row", "long"),  # 1-based record number in the object, header not counted
    ("_sluice_contract", "string"),  # contract version
    ("_sluice_run", "string"),  # run id
)

# Columns of `<dataset>__rejects`, one row per broken rule of a record. `ordinal` is 1 for the first broken rule of a
# record, so `where ordinal = 1` counts records. `row_number` is NULL where the whole object was refused.
REJECTS: tuple[tuple[str, str], ...] = (
    ("load_id", "string"),
    ("object", "string"),
    ("version", "string"),
    ("object_order", "string"),
    ("row_number", "long"),
    ("ordinal", "int"),
    ("column", "string"),  # NULL where the rule concerns the row or the object
    ("rule", "string"),
    ("reason", "string"),  # says what was expected and what was found
    ("value", "string"),  # the cell as text
    ("raw", "string"),  # the record as it stood in the object
    ("contract", "string"),
    ("run", "string"),
)


# The source of the column that takes the cells of columns which the contract does not name (`unknown_columns: take`),
# as the text of a JSON object. No header name: a file's own `_sluice_extra` is one of the unknown columns.
EXTRA = "_sluice_extra"

# What an expression calls a cell of which it says what is wrong.
CELL = '"_sluice_cell"'


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How bytes become records. Lines are counted as they stand in the file, records after quotes are understood."""

    format: Format = "csv"
    delimiter: str = ","  # one character or several
    quote: str = '"'  # one character, or none
    escape: str = '"'  # the quote (doubled inside quotes), another character before the one it protects, or none
    record_end: str = "auto"  # LF, CR LF and CR alike; or the one text that ends records
    header: bool = True
    header_lines: int = 1  # records that make up the header
    skip_lines: int = 0  # lines before the header
    skip_footer: int = 0  # lines at the end, not counting empty ones after the last text
    comment: str = ""  # records that begin with it are none
    blanks: Literal["keep", "trim"] = "keep"  # spaces and tabs around names and cells
    ragged_rows: Literal["reject", "fill"] = "reject"
    stray_quotes: Literal["lone", "text", "reject"] = "lone"  # which quotes in cells that are not quoted are text
    sheet: str = ""  # of a workbook; none: the first
    cell_range: str = ""  # of a sheet: B3:F200, or B3:F to the last row; none: all of it
    record_path: tuple[str, ...] = ()  # members of JSON that lead to the records; none: the file holds them itself
    encoding: str = "utf-8"
    compression: str = "auto"  # by suffix: .gz .zst .bz2 .zip; or none, gzip, zstd, bzip2, zip
    null_texts: tuple[str, ...] = ("",)
    unknown_columns: Literal["reject", "ignore", "take"] = "reject"
    missing_columns: Literal["reject", "null"] = "reject"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One curated column. `type` is an Iceberg type: string, int, long, float, double, decimal(p,s), boolean, date,
    timestamp, time (nested types: Iceberg's JSON form).

    `cast` is a DuckDB expression over the source cell, written as the quoted source name, a VARCHAR that is NULL where
    the cell is one of the null texts. It yields NULL exactly when the text is not an exact value of the type.
    """

    name: str
    source: str | None  # header name in the object, or EXTRA; None for derived columns
    type: str
    cast: str
    typed_cast: str = ""  # for a cell that a file with types holds as a value, which has no spelling; "" is `cast`
    required: bool = False
    explain: str = ""  # DuckDB expression over CELL: what is wrong with a text that `cast` refuses; "" says `expected`
    protect: Protect = ""  # what is stored in place of the value; its cells are shown nowhere
    expected: str = ""  # for messages: "decimal(6,1)", "date like 2024-02-29"
    description: str = ""
    id: str | None = None  # the property's `id`: a column keeps it under another name (`evolution`)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A condition on typed columns. A row breaks the rule where `predicate` is false (NULL does not break it)."""

    name: str  # required, minimum, enum, pattern, ... : the rule recorded in the rejects table
    column: str | None
    predicate: str
    expected: str
    severity: Severity = "reject"


@dataclass(frozen=True, kw_only=True)
class Unique:
    """Columns whose values together may stand once in an object: a later row that has them again is a reject.

    In `merge` they belong to the key of the first row that has them, and that key's later rows may have them again.
    Rows with NULL in one of the columns repeat nothing.
    """

    name: str  # unique or duplicateValues: the rule recorded in the rejects table
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ObjectCheck:
    """A condition on the accepted rows of one object together. One that stops holds the whole object back.

    `measure` names the compared number: that of `rows`; of rows that `break` the predicate `sql` (it is false); of
    rows that `repeat` the values of `columns`; or the number that the SELECT `sql` over `source` yields.
    """

    name: str  # rowCount, nullValues, ..., sql, or the check's own name
    column: str | None
    measure: Measured
    operator: str  # mustBe, mustNotBe, mustBeGreaterThan, ... of the standard
    bounds: tuple[int | float, ...]
    percent: bool = False  # of the accepted rows
    sql: str = ""
    columns: tuple[str, ...] = ()
    severity: Literal["warn", "stop"] = "stop"


@dataclass(frozen=True, kw_only=True)
class Relationship:
    """Columns whose values stand in columns `to` of another dataset, if all is well. It rejects nothing."""

    columns: tuple[str, ...]
    dataset: str
    to: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PartitionField:
    """One Iceberg partition field: identity, year, month, day, hour or truncate[w] of a column."""

    column: str
    transform: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything the stages need to know of one dataset."""

    dataset: str
    version: str  # contract version
    mode: Mode
    on_delete: OnDelete = "keep"
    primary_key: tuple[str, ...] = ()
    sequence_by: str | None = None
    reading: Reading = field(default_factory=Reading)
    columns: tuple[Column, ...] = ()
    omitted: tuple[Column, ...] = ()  # read and judged like columns, and stored nowhere
    read_order: tuple[str, ...] = ()  # all sources in the contract's order, where some are omitted
    rules: tuple[Rule, ...] = ()
    unique: tuple[Unique, ...] = ()  # beside the primary key
    checks: tuple[ObjectCheck, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    partition: tuple[PartitionField, ...] = ()
    max_reject_share: float | None = None  # above it a run publishes nothing
    description: str = ""
    latency_seconds: int | None = None  # an object is to be in the table so long after it arrived
    frequency_seconds: int | None = None  # new data is to be in the table so often
    budget_usd: float | None = None  # a month
    budget_action: BudgetAction = "warn"
    include: tuple[str, ...] = ()  # patterns of keys below the dataset's folder; none: all that readers do not hide
    exclude: tuple[str, ...] = ()

    @property
    def rejects_table(self) -> str:
        """Name of the table that holds this dataset's rejects."""
        return rejects_table(self.dataset)

    @property
    def protects(self) -> bool:
        """Whether values of this dataset must not be shown: a file without its header has values for names."""
        return bool(self.omitted) or any(column.protect for column in self.columns)

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the plan's canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, so that equal plans are equal texts."""
        return json.dumps(stamped("plan", asdict(self)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The inverse of `to_json`."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Plan:
        """Build a plan from its JSON object. Raises NewerStateError for one that a newer release compiled."""
        data = opened("plan", data, what=f"the compiled contract of {data.get('dataset')}")
        reading = data["reading"]
        return cls(
            **{
                **data,
                "primary_key": tuple(data["primary_key"]),
                "reading": Reading(
                    **{
                        **reading,
                        "null_texts": tuple(reading["null_texts"]),
                        "record_path": tuple(reading.get("record_path", ())),
                    }
                ),
                "columns": tuple(Column(**column) for column in data["columns"]),
                "omitted": tuple(Column(**column) for column in data.get("omitted", ())),
                "read_order": tuple(data.get("read_order", ())),
                "rules": tuple(Rule(**rule) for rule in data["rules"]),
                "unique": tuple(Unique(**_with_tuples(unique)) for unique in data.get("unique", ())),
                "relationships": tuple(Relationship(**_with_tuples(one)) for one in data.get("relationships", ())),
                "checks": tuple(ObjectCheck(**_with_tuples(check)) for check in data.get("checks", ())),
                "partition": tuple(PartitionField(**part) for part in data["partition"]),
                "include": tuple(data.get("include", ())),
                "exclude": tuple(data.get("exclude", ())),
            }
        )


def _with_tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
