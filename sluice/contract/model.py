"""The contract as Sluice understands it: the result of `odcs.parse`, and the input of `compile.compile_plan`.

Plain frozen data in the standard's own words, with the place of each part kept for messages. No YAML, no SQL.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from sluice.contract.plan import BudgetAction, Mode, OnDelete, Protect, Reading, Severity
from sluice.errors import ContractError

Scalar = str | int | bool | Decimal

# The metrics of the standard's library, and a query of the author's own. Facts about each: `metrics`.
CheckKind = Literal["rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues", "sql"]


@dataclass(frozen=True)
class Position:
    """Where a part of the contract stands: its file, its path in the file, its line."""

    file: str
    path: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """`schema[0].properties[3].logicalType (line 41)`."""
        line = f"line {self.line}" if self.line else ""
        return f"{self.path} ({line})" if self.path and line else self.path or line

    def error(self, message: str, remedy: str) -> ContractError:
        """A refusal that points here."""
        return ContractError(message, file=self.file, place=self.place, remedy=remedy)


@dataclass(frozen=True, kw_only=True)
class Options:
    """`logicalTypeOptions` of a property: limits on its values and how its text is written."""

    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    minimum: Scalar | None = None
    maximum: Scalar | None = None
    exclusive_minimum: Scalar | None = None
    exclusive_maximum: Scalar | None = None
    multiple_of: Scalar | None = None
    default_timezone: str | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool | None = None
    required: tuple[str, ...] = ()  # members of an object that must be there


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """How a file writes numbers and truth values; the defaults are those of `casts`."""

    decimal: str = "."
    thousands: str = ""
    true_texts: tuple[str, ...] = ()  # with false_texts or not at all
    false_texts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The limit of a number: one of the standard's eight comparisons."""

    operator: str  # mustBe, mustBeBetween, ...
    bounds: tuple[int | float, ...]
    percent: bool = False

    @property
    def is_none(self) -> bool:
        """Whether a number of rows keeps the limit only if it is 0."""
        (first, *rest) = self.bounds
        match self.operator:
            case "mustBe" | "mustBeLessOrEqualTo":
                return first == 0
            case "mustBeLessThan":
                return 0 < first <= 1 and not self.percent
            case "mustBeBetween":
                return first <= 0 and rest == [0]
            case _:
                return False


@dataclass(frozen=True, kw_only=True)
class QualityCheck:
    """A quality check of a property, or of the whole object where `column` is None."""

    kind: CheckKind
    limit: Limit
    values: tuple[Scalar, ...] = ()
    pattern: str | None = None
    columns: tuple[str, ...] = ()  # whose values together are not to be repeated
    query: str = ""
    name: str | None = None
    severity: Severity = "reject"
    column: str | None = None
    source: Position


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A relationship: columns that refer to columns of another dataset."""

    columns: tuple[str, ...]
    dataset: str
    to: tuple[str, ...]
    source: Position


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of the schema object: a column of the curated table."""

    name: str
    id: str | None = None  # outlives renames
    physical_name: str | None = None
    logical_type: str | None = None
    physical_type: str | None = None
    description: str = ""
    options: Options = field(default_factory=Options)
    required: bool = False
    unique: bool = False
    key_position: int | None = None
    partition_position: int | None = None
    partition_transform: str = "identity"
    enum: tuple[Scalar, ...] = ()
    checks: tuple[QualityCheck, ...] = ()
    spelling: Spelling = field(default_factory=Spelling)
    members: tuple[Property, ...] = ()  # of an object
    items: Property | None = None  # of an array
    protect: Protect = ""
    references: tuple[Reference, ...] = ()
    derived: str | None = None  # transformLogic: a DuckDB expression over the other columns
    source: Position

    @property
    def in_file(self) -> str:
        """The column's name in the file, which may be empty in JSON."""
        return self.name if self.physical_name is None else self.physical_name


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One dataset: exactly one schema object of one contract file."""

    name: str
    version: str
    description: str = ""
    mode: Mode = "append"
    on_delete: OnDelete = "keep"
    sequence_by: str | None = None
    max_reject_share: float | None = None
    latency_seconds: int | None = None
    frequency_seconds: int | None = None
    budget_usd: float | None = None
    budget_action: BudgetAction = "warn"
    include: tuple[str, ...] = ()  # patterns of keys that are data
    exclude: tuple[str, ...] = ()  # patterns of keys that are not
    reading: Reading = field(default_factory=Reading)
    extra_column: str | None = None  # the property that takes what the contract does not name
    properties: tuple[Property, ...] = ()
    checks: tuple[QualityCheck, ...] = ()  # of the whole object
    references: tuple[Reference, ...] = ()  # relationships of the whole object
    condition: str | None = None  # of a transform: rows on which it is not true are rejects
    condition_source: Position | None = None
    source: Position
