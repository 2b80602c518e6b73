"""The kinds of change: each says in one sentence what happens, whom it breaks, and whether old rows would come out new.

`breaks_readers`: a query that worked before may fail, or silently mean something else: a column is gone, has another
name or type, holds NULL where it never did, or the table has another grain.
`needs_backfill`: some row that was read under the old contract, accepted or rejected, may come out otherwise under the
new one. Until a backfill the table is a mixture of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sluice.contract.plan import Mode, PartitionField


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference between two plans of a dataset."""

    breaks_readers: ClassVar[bool] = False
    needs_backfill: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """The name of the kind, for machines."""
        return type(self).__name__

    @property
    def sentence(self) -> str:
        """The change in one sentence, for people."""
        return self._sentence()

    def _sentence(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class AddColumn(Change):
    """Rows of before show NULL in it."""

    needs_backfill = True
    column: str
    type: str

    def _sentence(self) -> str:
        return f"column {self.column} ({self.type}) is new; it is NULL in rows of before"


@dataclass(frozen=True, kw_only=True)
class DropColumn(Change):
    """Iceberg keeps the values in old files, and snapshots of before still show them."""

    breaks_readers = True
    column: str

    def _sentence(self) -> str:
        return f"column {self.column} is gone; queries that name it fail"


@dataclass(frozen=True, kw_only=True)
class RenameColumn(Change):
    """A rename is only what the contract says is one: both properties carry the same `id`. Iceberg keeps the field."""

    breaks_readers = True
    column: str
    to: str

    def _sentence(self) -> str:
        return f"column {self.column} is called {self.to}; queries that name {self.column} fail"


@dataclass(frozen=True, kw_only=True)
class WidenType(Change):
    """Iceberg promotes it without touching a file: int to long, float to double, decimals to more digits before."""

    needs_backfill = True  # values that did not fit are rejects until then
    column: str
    old: str
    new: str

    def _sentence(self) -> str:
        return f"column {self.column} widens from {self.old} to {self.new}; values that did not fit stay rejected"


@dataclass(frozen=True, kw_only=True)
class NarrowType(Change):
    """The way back from a promotion; Iceberg has none, so the table must be rebuilt."""

    breaks_readers = True
    needs_backfill = True
    column: str
    old: str
    new: str

    def _sentence(self) -> str:
        return f"column {self.column} narrows from {self.old} to {self.new}; the table must be rebuilt"


@dataclass(frozen=True, kw_only=True)
class ReplaceType(Change):
    """From one family of types to another, such as string to date."""

    breaks_readers = True
    needs_backfill = True
    column: str
    old: str
    new: str

    def _sentence(self) -> str:
        return f"column {self.column} turns from {self.old} into {self.new}; the table must be rebuilt"


@dataclass(frozen=True, kw_only=True)
class Reorder(Change):
    """The same columns in another order: it matters to `SELECT *` only. Iceberg and Sluice go by field id and name."""

    columns: tuple[str, ...]

    def _sentence(self) -> str:
        return f"the columns stand in another order: {', '.join(self.columns)}"


@dataclass(frozen=True, kw_only=True)
class RequiredTightened(Change):
    """NULL becomes a reject."""

    needs_backfill = True
    column: str

    def _sentence(self) -> str:
        return f"column {self.column} is required now; rows of before may hold NULL"


@dataclass(frozen=True, kw_only=True)
class RequiredLoosened(Change):
    """Readers meet NULL where the contract had promised a value."""

    breaks_readers = True
    needs_backfill = True
    column: str

    def _sentence(self) -> str:
        return f"column {self.column} may be NULL now, which no query had to expect"


@dataclass(frozen=True, kw_only=True)
class RuleTightened(Change):
    """Rows that passed may be rejected."""

    needs_backfill = True
    column: str | None
    rule: str
    old: str | None  # what was expected, None where the rule is new
    new: str

    def _sentence(self) -> str:
        was = f" instead of {self.old}" if self.old else ""
        return f"rule {self.rule} of {self.column or 'the row'} rejects more: it expects {self.new}{was}"


@dataclass(frozen=True, kw_only=True)
class RuleLoosened(Change):
    """Rows that were rejected may pass."""

    needs_backfill = True
    column: str | None
    rule: str
    old: str
    new: str | None  # what is expected now, None where the rule is gone

    def _sentence(self) -> str:
        now = f"it expects {self.new} instead of {self.old}" if self.new else f"it expected {self.old} and is gone"
        return f"rule {self.rule} of {self.column or 'the row'} rejects less: {now}"


@dataclass(frozen=True, kw_only=True)
class RuleChanged(Change):
    """Another condition of which nobody can say whether it asks for more or for less."""

    needs_backfill = True
    column: str | None
    rule: str
    old: str
    new: str

    def _sentence(self) -> str:
        return f"rule {self.rule} of {self.column or 'the row'} expects {self.new} instead of {self.old}"


@dataclass(frozen=True, kw_only=True)
class ValuesChanged(Change):
    """The same column comes from another cell, or by another expression."""

    needs_backfill = True
    column: str
    old: str
    new: str

    def _sentence(self) -> str:
        return f"column {self.column} is made by {self.new} instead of {self.old}"


@dataclass(frozen=True, kw_only=True)
class ProtectionChanged(Change):
    """Something else is stored in place of the values: queries that compare with them find nothing."""

    breaks_readers = True
    needs_backfill = True
    column: str
    old: str
    new: str

    def _sentence(self) -> str:
        return f"column {self.column} stores {self.new} instead of {self.old}"


@dataclass(frozen=True, kw_only=True)
class ReadingChanged(Change):
    """Bytes become records in another way."""

    needs_backfill = True
    option: str
    old: str
    new: str

    def _sentence(self) -> str:
        return f"files are read with {self.option} {self.new} instead of {self.old}"


@dataclass(frozen=True, kw_only=True)
class KeyChanged(Change):
    """The table has another grain: one row stands for another thing."""

    breaks_readers = True
    needs_backfill = True
    old: tuple[str, ...]
    new: tuple[str, ...]

    def _sentence(self) -> str:
        old, new = (", ".join(key) or "none" for key in (self.old, self.new))
        return f"the primary key is {new} instead of {old}"


@dataclass(frozen=True, kw_only=True)
class ModeChanged(Change):
    """The table is another function of the objects."""

    breaks_readers = True
    needs_backfill = True
    old: Mode
    new: Mode

    def _sentence(self) -> str:
        return f"the mode is {self.new} instead of {self.old}"


@dataclass(frozen=True, kw_only=True)
class PartitionChanged(Change):
    """Queries do not see it; files of before keep their layout until they are rewritten."""

    old: tuple[PartitionField, ...]
    new: tuple[PartitionField, ...]

    def _sentence(self) -> str:
        old, new = (", ".join(part.name for part in spec) or "nothing" for spec in (self.old, self.new))
        return f"the table is partitioned by {new} instead of {old}; files of before keep their layout"


@dataclass(frozen=True, kw_only=True)
class OptionChanged(Change):
    """`onDelete`, `sequenceBy` or `maxRejectShare`: which rows are in the table, under the same columns."""

    needs_backfill = True
    option: str
    old: str
    new: str

    def _sentence(self) -> str:
        return f"{self.option} is {self.new} instead of {self.old}"
