"""The options that say how objects are read and how they become the table: mode, format, encoding, null texts.

They stand in the custom property `sluice` of the schema object; format, delimiter and encoding may stand on
`servers[]` instead, where the standard has words for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from open_data_contract_standard.model import Server

from sluice.contract.custom import Custom
from sluice.contract.filetypes import OPTIONS, WORDS, file_type
from sluice.contract.plan import Format, Mode, OnDelete, Reading

ENCODINGS = {
    **dict.fromkeys(("utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii"), "utf-8"),
    **dict.fromkeys(("utf-16", "utf16"), "utf-16"),  # little endian unless a byte order mark says otherwise
    **dict.fromkeys(("utf-16le", "utf-16-le"), "utf-16-le"),
    **dict.fromkeys(("utf-16be", "utf-16-be"), "utf-16-be"),
    **dict.fromkeys(("latin-1", "latin1", "iso-8859-1"), "latin-1"),
    **dict.fromkeys(("windows-1252", "cp1252"), "windows-1252"),
    **{name: name for name in ("iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-9", "iso-8859-15")},
    **{name: name for name in ("windows-1250", "windows-1251", "windows-1253", "windows-1254", "windows-1257")},
    **{
        name: name for name in ("cp437", "cp850", "koi8-r", "shift_jis", "cp932", "euc-jp", "euc-kr", "big5", "gb18030")
    },
}
COMPRESSIONS = ("auto", "none", "gzip", "zstd", "bzip2", "zip")
_ENDS = {"auto": "auto", "lf": "\n", "crlf": "\r\n", "cr": "\r"}
_RANGE = re.compile(r"[A-Za-z]{1,3}([1-9][0-9]{0,6})?:[A-Za-z]{1,3}([1-9][0-9]{0,6})?")
_DEEPEST = 12  # levels of an envelope
_LONGEST = 16  # characters of a delimiter, a record end, the beginning of a comment
_FILE_SERVERS = frozenset({"s3", "local", "sftp", "azure", "custom"})


def read_mode(custom: Custom) -> tuple[Mode, OnDelete]:
    """How objects become the table."""
    mode: Mode = custom.choice("mode", "append", get_args(Mode))
    on_delete: OnDelete = custom.choice("onDelete", "keep", get_args(OnDelete))
    if on_delete == "retract" and mode != "append":
        raise custom.source("onDelete").error(
            f"onDelete retract cannot be combined with mode {mode}",
            "use mode append, where each row belongs to one object, or onDelete keep",
        )
    return mode, on_delete


def read_reading(custom: Custom, servers: Sequence[Server] | None) -> Reading:
    """How the bytes of an object become records."""
    form, implied = _known(custom, servers, "format", "csv", WORDS)
    _refuse_foreign(custom, form)
    quote = _character(custom, "quote", '"')
    # Of JSON the servers' delimiter tells lines from arrays; the reader sees that for itself.
    delimiter = (_said(custom, servers, "delimiter") if "delimiter" in file_type(form).options else None) or implied
    reading = Reading(
        format=form,
        delimiter=_mark(custom, "delimiter", delimiter),
        quote=quote,
        escape=_character(custom, "escape", quote),
        record_end=_record_end(custom),
        header=custom.flag("header", True),
        header_lines=custom.count("headerLines", 1),
        skip_lines=custom.count("skipLines", 0),
        skip_footer=custom.count("skipFooter", 0),
        comment=_mark(custom, "comment", "", empty=True),
        blanks=custom.choice("blanks", "keep", ("keep", "trim")),
        ragged_rows=custom.choice("raggedRows", "reject", ("reject", "fill")),
        stray_quotes=custom.choice("strayQuotes", "lone", ("lone", "text", "reject")),
        sheet=custom.text("sheet", ""),
        cell_range=_cell_range(custom),
        record_path=_record_path(custom),
        encoding=_known(custom, servers, "encoding", "utf-8", ENCODINGS),
        compression=custom.choice("compression", "auto", COMPRESSIONS),
        null_texts=custom.texts("nullTexts", file_type(form).null_texts),
        unknown_columns=custom.choice("unknownColumns", "reject", ("reject", "ignore", "take")),
        missing_columns=custom.choice("missingColumns", "reject", ("reject", "null")),
    )
    _refuse_ambiguous(custom, reading)
    return reading


def _cell_range(custom: Custom) -> str:
    """Two corners of a sheet: `B3:F200`, or without the last row `B3:F`."""
    value: str = custom.text("cellRange", "")
    if value and not _RANGE.fullmatch(value):
        raise custom.source("cellRange").error(
            f"cellRange is {value!r}", "write two corners, such as B3:F200, or B3:F for all rows from the third"
        )
    return value


def _record_path(custom: Custom) -> tuple[str, ...]:
    """The members that lead to the records: `Records`, `data.items`, or a list where names hold points."""
    said = custom.values.get("recordPath", "")
    names = tuple(said.split(".")) if isinstance(said, str) and said else custom.texts("recordPath", ()) if said else ()
    if "" in names or len(names) > _DEEPEST:
        raise custom.source("recordPath").error(
            f"recordPath is {said!r}", f"write at most {_DEEPEST} names with points between, such as data.items"
        )
    return names


def _refuse_foreign(custom: Custom, form: Format) -> None:
    """Refuse options that say nothing about files of this format."""
    known = file_type(form).options
    for name in sorted(OPTIONS - known):
        if name in custom.values:
            raise custom.source(name).error(f"{name} has no effect on files of format {form}", "remove it")


def _refuse_ambiguous(custom: Custom, reading: Reading) -> None:
    """Refuse marks that cannot be told apart: no reader could be right about them."""
    marks = {"delimiter": reading.delimiter, "recordEnd": reading.record_end, "comment": reading.comment}
    if reading.record_end == "auto":
        del marks["recordEnd"]
    for name, mark in marks.items():
        for other, character in (("quote", reading.quote), ("escape", reading.escape)):
            if character and character in mark:
                raise custom.source(name).error(
                    f"{name} {mark!r} and {other} {character!r} are not told apart", "change one of them"
                )
    if not reading.quote and "strayQuotes" in custom.values:
        raise custom.source("strayQuotes").error("strayQuotes has no effect without a quote character", "remove it")
    if reading.comment and reading.comment.startswith(reading.delimiter):
        raise custom.source("comment").error("a comment begins with the delimiter", "change one of them")
    if reading.record_end in reading.delimiter:
        raise custom.source("recordEnd").error("the delimiter holds the end of a record", "change one of them")
    if reading.header_lines == 0 or (not reading.header and "headerLines" in custom.values):
        raise custom.source("headerLines").error(
            "a header of no lines, or lines of no header", "write `header: false` alone, or headerLines from 1"
        )


def _known(custom: Custom, servers: Sequence[Server] | None, name: str, default: str, known: Mapping[str, Any]) -> Any:
    """The meaning of the word for `name`: the option's, else the servers', else the default's."""
    word = custom.text(name, None) or _said(custom, servers, name) or default
    if word.lower() not in known:
        source = custom.source(name) if name in custom.values else custom.document.at("servers")
        raise source.error(f"{name} {word!r} is not supported yet", f"use one of {', '.join(known)}")
    return known[word.lower()]


def _said(custom: Custom, servers: Sequence[Server] | None, name: str) -> str | None:
    """Return the value of `name` on the file servers; None where they have none or an option overrides them."""
    if name in custom.values:
        return None
    said = {str(value) for server in servers or () if server.type in _FILE_SERVERS and (value := getattr(server, name))}
    if len(said) > 1:
        raise custom.document.at("servers").error(
            f"the servers disagree on {name}: {', '.join(sorted(said))}", f"say {name} in the custom property `sluice`"
        )
    return said.pop() if said else None


def _mark(custom: Custom, name: str, default: str, *, empty: bool = False) -> str:
    """One character or several."""
    value: str = custom.text(name, default)
    if not (empty and not value) and (not 1 <= len(value) <= _LONGEST or set(value) & set("\r\n\0")):
        raise custom.source(name).error(f"{name} is {value!r}", f"write 1 to {_LONGEST} characters without a line end")
    return value


def _character(custom: Custom, name: str, default: str) -> str:
    """One character or none."""
    value: str = custom.text(name, default)
    if len(value) > 1 or value in set("\r\n\0 \t"):
        raise custom.source(name).error(
            f"{name} is {value!r}", 'write one character, neither blank nor line end, or "" for none'
        )
    return value


def _record_end(custom: Custom) -> str:
    """Read the end of a record: a word for the usual ends, or the text itself."""
    value: str = custom.text("recordEnd", "auto")
    if value.lower() in _ENDS:
        return _ENDS[value.lower()]
    if not 1 <= len(value) <= _LONGEST or "\0" in value or value.isalnum():
        raise custom.source("recordEnd").error(
            f"recordEnd is {value!r}", f"write one of {', '.join(_ENDS)}, or the text that ends a record"
        )
    return value
