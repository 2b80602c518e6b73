"""From what samples hold to a contract that they keep: types, keys, missing values, enumerations, formats.

Pure: the counting is done in `sluice.kernel.profile`, with the very casts that the contract will run. Nothing is
guessed: where the samples allow two readings (`01/02/2024`), the column stays text and a comment says what to decide.
Each choice stands in the contract with its evidence. Values are shown only where they become part of a rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.contract.shape import Shape, column_names

DATE_FORMATS = ("dd/MM/yyyy", "MM/dd/yyyy", "yyyy/MM/dd", "dd.MM.yyyy", "dd-MM-yyyy", "MM-dd-yyyy", "yyyyMMdd")
TIMESTAMP_FORMATS = tuple(f"{date} {clock}" for date in DATE_FORMATS[:-1] for clock in ("HH:mm:ss", "HH:mm", "hh:mm a"))
# Texts that often stand for a value that is not there.
NULL_TEXTS = ("NA", "N/A", "n/a", "NULL", "null", "None", "NaN", "nan", "\\N", "-", "#N/A")
TEXT_FORMATS = ("uuid", "email", "uri", "ipv4")

_ENOUGH = 100  # rows: below that, few different values prove no enumeration
_FEW = 12  # values of an enumeration
_REPEATED = 20  # how often each of them stands there on average
_MAX_SCALE = 9  # digits after the point; more of them are a measurement: double
_MAX_PRECISION = 38
_NARROWEST_FIRST = ("boolean", "int", "long", "decimal", "double", "date", "timestamp", "time")
# What a column of personal data is often called, as words of its name.
_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|mobile|telephone|fax|iban|ssn|passport|birth(day|date)?|dob|surname|(first|last)_?name)(_|$)"
)
_NO_KEYS = ("decimal", "double", "float", "boolean", "object", "array")
_KEYISH = re.compile(r"(^|_)(id|key|code|number|no|uuid|guid)$|^(id|key)_")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What was counted in one column. `rows` include `missing` ones: empty cells.

    `nulls` counts the cells that are one of NULL_TEXTS; they are in none of the counts that follow. `misfits` maps a
    candidate (`int`, `date`, `date dd/MM/yyyy`, `text uuid`, ...) to the number of cells that are no such value.
    `least` and `greatest` are texts, by type. `values` lists all different values of a column with few.
    """

    source: str
    rows: int
    missing: int
    nulls: Mapping[str, int] = field(default_factory=dict)
    distinct: int = 0
    shortest: int = 0
    longest: int = 0
    zero_led: int = 0  # cells like 007
    whole_digits: int = 0  # most digits before the point
    scale: int = 0  # most digits after it
    misfits: Mapping[str, int] = field(default_factory=dict)
    least: Mapping[str, str] = field(default_factory=dict)
    greatest: Mapping[str, str] = field(default_factory=dict)
    values: Sequence[str] = ()
    shape: Shape | None = None  # of a column that holds objects or arrays

    @property
    def filled(self) -> int:
        """Cells that hold a value."""
        return self.rows - self.missing - sum(self.nulls.values())


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """One property of the contract to be: what to write, and why."""

    name: str
    profile: Profile
    kind: str  # Iceberg type; object or array of a nested one
    form: str | None = None  # Java format of a date or timestamp, or the format of a text
    required: bool = False
    key: int | None = None  # position in the primary key, from 1
    values: tuple[str, ...] = ()  # of an enumeration
    not_negative: bool = False
    personal: bool = False  # it may be about a person
    remarks: tuple[str, ...] = ()


def infer_columns(profiles: Sequence[Profile]) -> tuple[tuple[Inferred, ...], tuple[str, ...]]:
    """The properties of the samples, and the texts that mean a missing value in them (the empty one among them)."""
    kinds = [_kind(profile) for profile in profiles]
    nulls = {text for profile, (kind, _, _) in zip(profiles, kinds, strict=True) if kind != "string"
             for text in profile.nulls}  # fmt: skip
    names = column_names([profile.source for profile in profiles])
    columns = tuple(
        _column(name, profile, kind, nulls) for name, profile, kind in zip(names, profiles, kinds, strict=True)
    )
    return columns, ("", *sorted(nulls))


def flattened(column: Inferred) -> Inferred:
    """The column without its shape: where values inside keep no contract, their text is all that there is."""
    if not column.profile.shape or column.kind == "string":
        return column
    remark = "objects or arrays of more than one kind: kept as text"
    return replace(column, kind="string", remarks=(*column.remarks, remark))


def key_candidates(columns: Sequence[Inferred]) -> Sequence[int]:
    """Places of the columns that may be part of a key, the likeliest first: always there, and no measurement."""
    fit = [
        at for at, column in enumerate(columns)
        if column.required and column.profile.distinct > 1 and not column.kind.startswith(_NO_KEYS)
    ]  # fmt: skip
    return sorted(fit, key=lambda at: (not is_keyish(columns[at]), at))


def is_keyish(column: Inferred) -> bool:
    """Whether a column is named as keys are."""
    return bool(_KEYISH.search(column.name))


_Kind = tuple[str, str | None, tuple[str, ...]]  # Iceberg type, format, remarks


def _kind(profile: Profile) -> _Kind:
    if not profile.filled:
        return "string", None, ("no value in the samples: say what it is",)
    return (profile.shape.kind, None, ()) if profile.shape else _scalar(profile)


def _scalar(profile: Profile) -> _Kind:
    fits = {candidate for candidate, misfits in profile.misfits.items() if not misfits}
    if profile.zero_led and "long" in fits:
        return "string", None, (f"digits with leading zeros in {profile.zero_led:,} cells: kept as text",)
    digits = profile.whole_digits + profile.scale
    if profile.scale > _MAX_SCALE or digits > _MAX_PRECISION:
        fits.discard("decimal")
    found = next((kind for kind in _NARROWEST_FIRST if kind in fits), None)
    if found == "decimal":
        room = next((size for size in (9, 18) if digits + 2 <= size), _MAX_PRECISION)
        return f"decimal({room},{profile.scale})", None, ()
    if found in {"int", "long"} and "date yyyyMMdd" in fits and "1900" < profile.least[found][:4] < "2100":
        return found, None, ("each value is a date as yyyyMMdd, too: if that is meant, use date and `format`",)
    if found:
        return found, None, ()
    return _formatted(fits)


def _formatted(fits: set[str]) -> _Kind:
    for kind, forms in (("date", DATE_FORMATS), ("timestamp", TIMESTAMP_FORMATS)):
        found = [form for form in forms if f"{kind} {form}" in fits]
        if len(found) == 1:
            return kind, found[0], ()
        if found:
            return "string", None, (f"a {kind}, but all of {', '.join(found)} fit: say which, as `format`",)
    return "string", next((form for form in TEXT_FORMATS if f"text {form}" in fits), None), ()


def _column(name: str, profile: Profile, found: _Kind, nulls: set[str]) -> Inferred:
    kind, form, remarks = found
    absent = profile.missing + sum(count for text, count in profile.nulls.items() if text in nulls)
    values: tuple[str, ...] = ()
    few = profile.values and len(profile.values) <= min(_FEW, profile.filled // _REPEATED)
    if kind == "string" and form is None and few and profile.rows >= _ENOUGH:
        values = tuple(sorted(value for value in profile.values if value not in nulls))
    doubtful = [
        f"{text} stands in {count:,} cells: if it means a missing value, add it to nullTexts"
        for text, count in profile.nulls.items()
        if text not in nulls
    ]
    return Inferred(
        name=name,
        profile=profile,
        kind=kind,
        form=form,
        required=absent == 0 and profile.rows > 0,
        values=values,
        not_negative=kind in {"int", "long"} and profile.rows >= _ENOUGH and profile.least[kind][:1] != "-",
        personal=form == "email" or (kind in {"string", "date"} and bool(_PERSONAL.search(name))),
        remarks=(*remarks, *doubtful),
    )
