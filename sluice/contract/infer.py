"""From what samples hold to a contract that nearly all of them keep: types, keys, missing values, enumerations.

Pure: the counting is done in `sluice.kernel.profile`, with the very casts that the contract will run. A type is what
nearly all cells of a column are; the few others are exceptions, which the draft lists by line. Nothing is guessed:
where the samples allow two readings (`01/02/2024`), the column stays text and a comment says what to decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.contract.amounts import remark_on_text
from sluice.contract.model import Spelling
from sluice.contract.shape import Shape, column_names
from sluice.contract.truths import truth_texts

_DATES = ("dd/MM/yyyy", "MM/dd/yyyy", "yyyy/MM/dd", "dd.MM.yyyy", "dd-MM-yyyy", "MM-dd-yyyy", "yyyyMMdd")
_WORDS = ("dd-MMM-yyyy", "dd MMM yyyy", "MMM dd, yyyy", "d.M.yyyy", "d/M/yyyy", "M/d/yyyy", "dd-MMM-yy",
          "dd.MM.yy", "dd/MM/yy", "MM/dd/yy")  # fmt: skip
DATE_FORMATS = (*_DATES, *_WORDS)
_CLOCKS = ("HH:mm:ss", "HH:mm", "hh:mm a")
TIMESTAMP_FORMATS = (
    *(f"{date} {clock}" for date in (*_DATES[:-1], "d.M.yyyy", "d/M/yyyy", "M/d/yyyy") for clock in _CLOCKS),
    *("M/d/yyyy h:mm:ss a", "MM/dd/yyyy hh:mm:ss a", "yyyyMMddHHmmss", "yyyyMMdd HH:mm:ss", "dd-MMM-yyyy HH:mm:ss"),
    *("yyyy-MM-dd HH:mm:ss.SSS", "yyyy-MM-dd'T'HH:mm:ss.SSSXX", "yyyy-MM-dd'T'HH:mm:ssXX", "dd/MMM/yyyy:HH:mm:ss xx"),
    *("yyyy-MM-dd HH:mm:ss.SSSSSSS", "yyyy-MM-dd HH:mm:ss.SSSSSSS xxx"),
)
# Texts that often stand for a value that is not there.
NULL_TEXTS = (
    *("NA", "N/A", "n/a", "n.a.", "NULL", "null", "(null)", "None", "NaN", "nan", "\\N", "-", "--", "?", "k.A."),
    *("#N/A", "#NV", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!"),
)
TEXT_FORMATS = ("uuid", "email", "uri", "ipv4")
# Spellings of numbers that are tried: the decimal sign, and what separates thousands. The usual one comes first.
SPELLINGS = (
    *(Spelling(), Spelling(decimal=",")),
    *(Spelling(thousands=","), Spelling(thousands="'"), Spelling(thousands=" "), Spelling(thousands="\u2019")),
    *(Spelling(decimal=",", thousands=mark) for mark in (".", " ", "\u00a0", "\u202f", "'")),
)

_ENOUGH = 100  # rows: below that, few different values prove no enumeration
_FEW = 12  # values of an enumeration
_REPEATED = 20  # how often each of them stands there on average
_RARE = 10  # a value this many times rarer than the next one is none of an enumeration
_ODD = 20  # at most one cell in so many is an exception
_SLIGHT = 200  # at most one cell in so many is an exception to a narrower type, rule or scale
_MAX_SCALE = 9  # digits after the point; more of them are a measurement: double
_MAX_PRECISION = 38
_TAIL = 20_000_000  # the largest number of a column of which larger ones are mistakes rather than its long tail
_NUMBERS = ("int", "long", "decimal", "double")
_MOMENTS = ("date", "timestamp", "time")
# What a column of personal data is often called, as words of its name.
_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|mobile|telephone|telefon|handy|fax|iban|ssn|passport|birth(day|date)?|dob|geburtsdatum|surname"
    r"|nachname|vorname|(first|last|full|middle|given|family|maiden)_?name|street|strasse|stra_e|address|adresse"
    r"|tax_?id|social_security|credit_?card|card_number|ip(_address)?|latitude|longitude)(_|$)"
)
_PERSON = re.compile(r"(^|_)(customer|client|kunde|kunden|user|patient|employee|person|contact|member|holder)_?name$")
_NO_KEYS = ("decimal", "double", "float", "boolean", "object", "array")
_KEYISH = re.compile(r"(^|_)(id|key|code|number|no|nr|nummer|uuid|guid|account|sku)$|^(id|key)_")
_EPOCH = re.compile(r"(^|_)(ts|time|timestamp|epoch|at|created|updated|modified|date|when)(_|$)")
_DAYS = (19000101, 21000101)
_GROUP = 3  # digits between two separators of thousands
_CODE = re.compile(r"\w[\w /&+.-]{0,23}")  # a value of an enumeration, rather than free text
_SECONDS = (946_684_800, 4_102_444_800)  # the years 2000 to 2099


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The counts of one column. `rows` include `missing` ones: empty cells.

    `nulls` counts the cells that are one of NULL_TEXTS; they are in none of the counts that follow. `misfits` maps a
    candidate (`int`, `date`, `date dd/MM/yyyy`, `text uuid`, ...) to the number of cells that are no such value; a
    candidate that far too many cells are not is left out. `least` and `greatest` are texts, by type, of the cells that
    are such values. `common` has the most frequent values with their counts, the most frequent first.
    """

    source: str
    rows: int
    missing: int
    nulls: Mapping[str, int] = field(default_factory=dict)
    distinct: int = 0
    shortest: int = 0
    longest: int = 0
    zero_led: int = 0  # cells like 007
    negative: int = 0  # cells that begin with a minus sign
    whole_digits: int = 0  # most digits before the point
    scales: Mapping[int, int] = field(default_factory=dict)  # numbers by their digits after the point
    misfits: Mapping[str, int] = field(default_factory=dict)
    least: Mapping[str, str] = field(default_factory=dict)
    greatest: Mapping[str, str] = field(default_factory=dict)
    common: Sequence[tuple[str, int]] = ()
    looks: Mapping[str, int] = field(
        default_factory=dict
    )  # texts that look like an amount, a duration, ... (`amounts`)
    shape: Shape | None = None  # of a column that holds objects or arrays

    @property
    def filled(self) -> int:
        """Cells that hold a value."""
        return self.rows - self.missing - sum(self.nulls.values())


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """One property of the drafted contract, with its evidence."""

    name: str
    profile: Profile
    kind: str  # Iceberg type; object or array of a nested one
    form: str | None = None  # Java format of a date or timestamp, or the format of a text
    spelling: Spelling = field(default_factory=Spelling)
    required: bool = False
    key: int | None = None  # position in the primary key, from 1
    repeats: int = 0  # rows of a sample that have the key of another one
    values: tuple[str, ...] = ()  # of an enumeration
    not_negative: bool = False
    personal: bool = False  # it may be about a person
    remarks: tuple[str, ...] = ()


def exceptions(filled: int) -> int:
    """How many cells of a column may be no values of its type: one in twenty; one of five, two of fifteen."""
    return max(filled // _ODD, min(2, (filled + 5) // 10))


def spelling_name(spelling: Spelling) -> str:
    """The name of the candidate: a number in this spelling."""
    return f"number {spelling.decimal}{spelling.thousands}"


def infer_columns(profiles: Sequence[Profile], *, spelled: bool = True) -> tuple[tuple[Inferred, ...], tuple[str, ...]]:
    """The properties of the samples, and the texts that mean a missing value in them (the empty one among them).

    `spelled` tells whether a contract for this format may say how numbers and truth values are spelled.
    """
    found = [_kind(profile, spelled=spelled) for profile in profiles]
    nulls = {text for profile, kind in zip(profiles, found, strict=True) if kind.kind != "string"
             for text in profile.nulls}  # fmt: skip
    names = column_names([profile.source for profile in profiles])
    columns = tuple(
        _column(name, profile, kind, nulls) for name, profile, kind in zip(names, profiles, found, strict=True)
    )
    return columns, ("", *sorted(nulls))


def best_spelling(profile: Profile) -> Spelling | None:
    """The spelling of the column's numbers; None where it holds none, or where two spellings give other numbers."""
    counts = {spelling: profile.misfits[name] for spelling in SPELLINGS
              if (name := spelling_name(spelling)) in profile.misfits}  # fmt: skip
    if not counts or min(counts.values()) > exceptions(profile.filled):
        return None
    most, slight = exceptions(profile.filled), profile.filled // _SLIGHT
    fewest = {
        sign: min((counts[spelling] for spelling in counts if spelling.decimal == sign), default=profile.filled)
        for sign in ".,"
    }
    sign, other = sorted(fewest, key=lambda mark: (fewest[mark], mark != "."))
    plain = counts.get(Spelling(decimal=sign), profile.filled)
    # `1,234` is a number under either sign: cells that are one under a single sign decide.
    if fewest[other] <= most and fewest[other] - fewest[sign] <= slight and (sign == "," or plain > most):
        return None
    best = min((spelling for spelling in counts if spelling.decimal == sign), key=lambda spelling: counts[spelling])
    gain = plain - counts[best]
    grouped = gain > slight and (gain > 1 or profile.filled < _FEW)
    return best if grouped else Spelling(decimal=sign) if plain <= most else None


def flattened(column: Inferred) -> Inferred:
    """The column without its shape: where values inside keep no contract, their text is all that there is."""
    if not column.profile.shape or column.kind == "string":
        return column
    remark = "objects or arrays of more than one kind: kept as text"
    return replace(column, kind="string", remarks=(*column.remarks, remark))


def key_candidates(columns: Sequence[Inferred]) -> Sequence[int]:
    """Places of the columns that may be part of a key, the likeliest first: nearly always there, no measurement."""
    fit = [
        at for at, column in enumerate(columns)
        if column.profile.rows - column.profile.filled <= column.profile.rows // _SLIGHT
        and column.profile.distinct > 1
        and not column.kind.startswith(_NO_KEYS)
        and not column.profile.source.startswith("column ")
    ]  # fmt: skip
    return sorted(fit, key=lambda at: (not is_keyish(columns[at]), at))


def is_keyish(column: Inferred) -> bool:
    """Whether a column is named as keys are."""
    return bool(_KEYISH.search(column.name))


@dataclass(frozen=True)
class _Kind:
    kind: str
    form: str | None = None
    remarks: tuple[str, ...] = ()
    spelling: Spelling = field(default_factory=Spelling)


def _kind(profile: Profile, *, spelled: bool) -> _Kind:
    if not profile.filled or profile.shape:
        nothing = () if profile.filled else ("no value in the samples: say what it is",)
        return _Kind(profile.shape.kind if profile.shape else "string", remarks=nothing)
    most, misfits = exceptions(profile.filled), profile.misfits
    fitting = {name for name, count in misfits.items() if count <= most}
    if "boolean" in fitting:
        return _Kind("boolean")
    spelling = best_spelling(profile)
    if spelling is not None:
        return _spelled_number(profile, spelling, spelled=spelled)
    if {"number ,", "number .,"} <= fitting:
        words = "numbers like 1,234: say which it is, thousandsSeparator or decimalSeparator, and use `number`"
        return _Kind("string", remarks=(words,))
    if moments := fitting & set(_MOMENTS):
        return _Kind(min(sorted(moments), key=lambda kind: misfits[kind]))
    return _formatted(profile, most, spelled=spelled)


def _spelled_number(profile: Profile, spelling: Spelling, *, spelled: bool) -> _Kind:
    if profile.zero_led:
        return _Kind("string", remarks=(f"digits with leading zeros in {profile.zero_led:,} cells: kept as text",))
    if spelling == Spelling() or spelled:
        return replace(_number(profile), spelling=spelling)
    words = f"numbers written like 1{spelling.thousands}234{spelling.decimal}5 as text: kept as text"
    return _Kind("string", remarks=(words,))


def _number(profile: Profile) -> _Kind:
    """The narrowest type of a column of numbers: a few that it cannot hold are exceptions, not a reason for another."""
    slight = profile.filled // _SLIGHT
    misfits = {kind: profile.misfits.get(kind, profile.filled) for kind in _NUMBERS}
    base = min(misfits.values())
    narrow = abs(int(profile.greatest.get("int", "0"))) < _TAIL
    for kind in ("int", "long"):
        allowed = slight if narrow else misfits["long"] - base if kind == "int" else slight
        if misfits[kind] - base <= max(0, allowed):
            return _Kind(kind, remarks=_whole_remarks(profile, kind))
    numbers = sum(profile.scales.values())
    scale = next(
        (digits for digits in sorted(profile.scales)
         if sum(count for more, count in profile.scales.items() if more > digits) <= numbers // _SLIGHT), 0
    )  # fmt: skip
    digits = profile.whole_digits + scale
    if misfits["decimal"] - base > slight or scale > _MAX_SCALE or digits > _MAX_PRECISION:
        return _Kind("double")
    room = next((size for size in (9, 18) if digits + 2 <= size), _MAX_PRECISION)
    grouped = scale == _GROUP and profile.scales.get(_GROUP) == numbers and profile.whole_digits <= _GROUP
    remark = "each has three digits after the point: if that separates thousands, say thousandsSeparator"
    return _Kind(f"decimal({room},{scale})", remarks=(remark,) if grouped else ())


def _whole_remarks(profile: Profile, kind: str) -> tuple[str, ...]:
    most = exceptions(profile.filled)
    low, high = (int(edge.get(kind, "0")) for edge in (profile.least, profile.greatest))
    if profile.misfits.get("date yyyyMMdd", most + 1) <= most and _DAYS[0] <= low <= high < _DAYS[1]:
        return ("each value is a date as yyyyMMdd, too: if that is meant, use date and `format`",)
    for unit, factor in (("seconds", 1), ("milliseconds", 1000)):
        inside = _SECONDS[0] * factor <= low <= high < _SECONDS[1] * factor
        name = column_names([profile.source])[0]
        if inside and (_EPOCH.search(name) or (high - low > 86_400 * factor * 30 and high < 2_051_222_400 * factor)):
            micros = 1_000_000 // factor
            return (
                f"each value is a moment in {unit} since 1970, too: if that is meant, add a property of logicalType",
                f"timestamp with transformLogic: make_timestamp({name}::BIGINT * {micros})",
            )
    return ()


def _formatted(profile: Profile, most: int, *, spelled: bool) -> _Kind:
    misfits = profile.misfits
    for kind, forms in (("date", DATE_FORMATS), ("timestamp", TIMESTAMP_FORMATS)):
        counts = {form: misfits[f"{kind} {form}"] for form in forms if misfits.get(f"{kind} {form}", most + 1) <= most}
        if not counts:
            continue
        fewest = min(counts.values())
        # A form with single letters reads what its strict twin reads, too: the first, stricter one is taken.
        close = [form for form, count in counts.items() if count - fewest <= (9 * fewest if fewest else 0)]
        best = min(close, key=lambda form: (counts[form], list(forms).index(form)))
        others = [form for form in close if _order(form) != _order(best)]
        if not others:
            return _Kind(kind, best)
        listed = ", ".join(sorted({best, *others}, key=list(forms).index))
        return _Kind("string", remarks=(f"a {kind}, but all of {listed} fit: say which, as `format`",))
    if spelled and (truth := truth_texts(profile.common, profile.filled, most)):
        return _Kind("boolean", spelling=Spelling(true_texts=(truth[0],), false_texts=(truth[1],)))
    form = next((form for form in TEXT_FORMATS if misfits.get(f"text {form}", most + 1) <= most), None)
    return _Kind("string", form, remark_on_text(column_names([profile.source])[0], profile.looks, profile.filled, most))


def _order(form: str) -> str:
    """The order in which a format has its fields."""
    return re.sub(r"(.)\1*", r"\1", re.sub(r"[^A-Za-z]", "", form))


def _column(name: str, profile: Profile, found: _Kind, nulls: set[str]) -> Inferred:
    kind = found.kind
    absent = profile.missing + sum(count for text, count in profile.nulls.items() if text in nulls)
    values: tuple[str, ...] = ()
    if kind == "string" and found.form is None and profile.rows >= _ENOUGH:
        values = _enumeration(profile, nulls)
        values += tuple(text for text in profile.nulls if text not in nulls) if values else ()
    doubtful = [
        f"{text} stands in {count:,} cells: if it means a missing value, add it to nullTexts"
        for text, count in profile.nulls.items()
        if text not in nulls
    ]
    slight = profile.rows // _SLIGHT
    if 0 < absent <= slight:
        doubtful.append(f"missing in {absent:,} of {profile.rows:,} rows only: perhaps `required: true`")
    whole = kind in {"int", "long"} and profile.rows >= _ENOUGH
    return Inferred(
        name=name,
        profile=profile,
        kind=kind,
        form=found.form,
        spelling=found.spelling,
        required=absent == 0 and profile.rows > 0,
        values=values,
        not_negative=whole and profile.negative <= slight,
        personal=found.form == "email" or (kind in {"string", "date", "object"} and _is_personal(name)),
        remarks=(*found.remarks, *doubtful),
    )


def _is_personal(name: str) -> bool:
    return name == "name" or bool(_PERSONAL.search(name) or _PERSON.search(name))


def _enumeration(profile: Profile, nulls: set[str]) -> tuple[str, ...]:
    """The few values that nearly all cells have. One that is far rarer than the others is an exception, not a value."""
    counted = [(value, count) for value, count in profile.common if value not in nulls]
    total = sum(count for _, count in counted)
    if not counted or profile.distinct > len(profile.common) or total < profile.filled:
        return ()
    cut = len(counted)
    for at in range(1, len(counted)):
        left = sum(count for _, count in counted[at:])
        if counted[at][1] * _RARE <= counted[at - 1][1] and left <= profile.filled // _SLIGHT:
            cut = at
            break
    kept = counted[:cut]
    often = all(count > 1 for _, count in kept)
    few = len(kept) <= min(_FEW, profile.filled // _REPEATED)
    codes = all(_CODE.fullmatch(value) for value, _ in kept)
    return tuple(sorted(value for value, _ in kept)) if few and often and codes else ()
