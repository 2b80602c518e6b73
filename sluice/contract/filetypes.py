"""Facts about each file format. `kernel/readers` reads the bytes.

A new format is a member of `plan.Format` and a case here; mypy then names the readers that have to know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never, get_args

from sluice.contract.plan import Format


@dataclass(frozen=True, kw_only=True)
class FileType:
    """The facts about one format."""

    words: Mapping[str, str]  # what a contract may call it, with the delimiter that the word implies
    suffixes: tuple[str, ...]  # of file names; files that Sluice writes have the first one
    options: frozenset[str]  # of the custom property `sluice`: those that have an effect on it and not on all formats
    null_texts: tuple[str, ...] = ()  # empty where an empty text can be told from a missing value
    is_text: bool  # characters in some encoding; its records can be written again as text
    has_spelling: bool = False  # numbers and dates are texts, in the sender's spelling
    has_nested_values: bool = False  # cells may be objects and arrays
    has_day_numbers: bool = False  # a date may come as a number of days
    has_threads: bool = False  # DuckDB reads it with several threads by itself


SPELLING_OPTIONS = frozenset({"decimalSeparator", "thousandsSeparator", "trueTexts", "falseTexts"})
_PACKED_OPTIONS = frozenset({"compression"})  # a workbook is an archive already
_TEXT_OPTIONS = _PACKED_OPTIONS | {"encoding"}
_DELIMITED_OPTIONS = frozenset(
    {
        *("delimiter", "quote", "escape", "strayQuotes", "recordEnd", "header", "headerLines", "skipLines"),
        *("skipFooter", "comment", "raggedRows"),
        *SPELLING_OPTIONS,
    }
)


def file_type(form: Format) -> FileType:
    """Return the facts about a format."""
    match form:
        case "csv":
            return FileType(
                words={"csv": ",", "tsv": "\t"},
                suffixes=(".csv", ".tsv"),
                options=_TEXT_OPTIONS | _DELIMITED_OPTIONS,
                null_texts=("",),
                is_text=True,
                has_spelling=True,
            )
        case "json":  # one object a line, or all in one array
            return FileType(
                words=dict.fromkeys(("json", "jsonl", "ndjson"), ","),
                suffixes=(".jsonl", ".json", ".ndjson"),
                options=_TEXT_OPTIONS | {"recordPath"},
                is_text=True,
                has_nested_values=True,
            )
        case "parquet":
            return FileType(
                words={"parquet": ","},
                suffixes=(".parquet",),
                options=_PACKED_OPTIONS,
                is_text=False,
                has_nested_values=True,
                has_threads=True,
            )
        case "xlsx":
            return FileType(
                words={"xlsx": ","},
                suffixes=(".xlsx",),
                options=frozenset({"skipLines", "sheet", "cellRange"}),
                null_texts=("",),
                is_text=False,
                has_day_numbers=True,
            )
        case _:
            assert_never(form)


FORMATS: tuple[Format, ...] = get_args(Format)
WORDS: Mapping[str, tuple[Format, str]] = {
    word: (form, delimiter) for form in FORMATS for word, delimiter in file_type(form).words.items()
}
OPTIONS: frozenset[str] = frozenset().union(*(file_type(form).options for form in FORMATS))


def format_of(name: str) -> Format:
    """Tell the format of a file by the suffix of its name; delimited text where no suffix says otherwise."""
    lower = name.lower()
    return next((form for form in FORMATS if lower.endswith(file_type(form).suffixes)), "csv")
